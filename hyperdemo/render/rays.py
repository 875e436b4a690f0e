"""Rays through generated fields with gradients, and how far they are from pictures."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams, apply
from hyperdemo.render.quadrature import Rendering, composite, sample_distances, sphere_span


def render_rays(
    config: FieldConfig,
    params: InrParams,
    origins: Float[Tensor, "b n 3"],
    *,
    directions: Float[Tensor, "b n 3"],
    samples: int,
    generator: torch.Generator | None,
) -> Rendering:
    """Differentiable quadrature of b fields along n rays each, stratified if given a generator."""
    near, far = sphere_span(origins, directions)
    distances, delta = sample_distances(near, far, n_samples=samples, generator=generator)
    points = origins[..., None, :] + directions[..., None, :] * distances[..., None]
    density, rgb = apply(config, params, points.flatten(1, 2))
    return composite(
        density.reshape(distances.shape),
        rgb.reshape(*distances.shape, 3),
        distances=distances,
        delta=delta,
    )


def ray_loss(
    rendering: Rendering,
    rgba: Float[Tensor, "b n 4"],
    *,
    alpha_weight: float,
    absolute_weight: float = 0.0,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Weighted objective and the plain squared error of the colour over white.

    The opacity's error tells a white surface from no surface, which the colour alone cannot.
    """
    opacity = rgba[..., 3:]
    target = rgba[..., :3] * opacity + (1 - opacity)
    colour = rendering.rgb - target
    alpha = rendering.alpha - opacity[..., 0]
    colour_mse = colour.square().mean()
    loss = colour_mse + alpha_weight * alpha.square().mean()
    if absolute_weight:
        loss = loss + absolute_weight * (colour.abs().mean() + alpha_weight * alpha.abs().mean())
    return loss, colour_mse
