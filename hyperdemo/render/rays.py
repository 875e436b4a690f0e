"""Rays through generated fields with gradients, and how far they are from pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams, apply
from hyperdemo.render.quadrature import Rendering, integrate


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

    def fields(points: Tensor) -> tuple[Tensor, Tensor]:
        return apply(config, params, points)

    return integrate(fields, origins, directions, n_samples=samples, generator=generator)


@dataclass(frozen=True)
class RayLoss:
    """The objective of training and refinement: rendered rays against a picture's pixels.

    Attributes:
        alpha_weight: weight of the opacity's error beside the colour's. It tells a white surface
            from no surface, which the colour alone cannot.
        absolute_weight: weight of absolute errors beside the squared ones.
    """

    alpha_weight: float = 0.5
    absolute_weight: float = 0.3

    @classmethod
    def recorded(cls, facts: Mapping[str, Any]) -> RayLoss:
        """The loss that a checkpoint was trained with, from its facts; the default if unknown."""
        data = facts.get("training", {}).get("data", {})
        if "alpha_weight" not in data:
            return cls()
        return cls(data["alpha_weight"], data.get("absolute_weight", 0.0))

    def __call__(
        self, rendering: Rendering, rgba: Float[Tensor, "b n 4"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The weighted loss, and the plain squared error of the colour over white.

        Args:
            rendering: of the rays, with leading axes `[b, n]`.
            rgba: the pixels' straight colour and opacity, in [0, 1].
        """
        opacity = rgba[..., 3:]
        target = rgba[..., :3] * opacity + (1 - opacity)
        colour = rendering.rgb - target
        alpha = rendering.alpha - opacity[..., 0]
        colour_mse = colour.square().mean()
        loss = colour_mse + self.alpha_weight * alpha.square().mean()
        if self.absolute_weight:
            absolute = colour.abs().mean() + self.alpha_weight * alpha.abs().mean()
            loss = loss + self.absolute_weight * absolute
        return loss, colour_mse
