"""Exact volume rendering by quadrature along rays: the reference for every faster renderer.

Max 1995; Mildenhall et al. 2020, Eq. 3: alpha_i = 1 − exp(−density_i · delta), transmittance
T_i = Π_{j<i} (1 − alpha_j), colour = Σ T_i alpha_i c_i + (1 − Σ T_i alpha_i) · background.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.inr.radiance import Field
from hyperdemo.render.cameras import camera_rays, pixel_grid


@dataclass(frozen=True)
class Rendering:
    """What rays see.

    Attributes:
        rgb: colour over the white background, in [0, 1], `[..., 3]`.
        alpha: accumulated opacity in [0, 1].
        depth: expected distance along the ray where there is opacity, in world units; it is the
            opacity-weighted mean, divided by alpha, and 0 where alpha is 0.
    """

    rgb: Float[Tensor, "*n 3"]
    alpha: Float[Tensor, "*n"]
    depth: Float[Tensor, "*n"]


def sphere_span(
    origins: Float[Tensor, "*n 3"], directions: Float[Tensor, "*n 3"]
) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
    """Distances at which unit-direction rays enter and leave the unit sphere.

    A ray that misses gets an empty span (near = far), as does a sphere behind the camera.
    """
    middle = -(origins * directions).sum(-1)
    closest2 = (origins * origins).sum(-1) - middle * middle
    inside = 1.0 - closest2
    # A ray may touch the sphere in one point exactly, where the root has no finite derivative.
    hits = inside > 0
    half = torch.where(hits, torch.where(hits, inside, 1.0).sqrt(), 0.0)
    near, far = (middle - half).clamp_min(0.0), (middle + half).clamp_min(0.0)
    return near, far


def sample_distances(
    near: Float[Tensor, "*n"],
    far: Float[Tensor, "*n"],
    *,
    n_samples: int,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "*n s"], Float[Tensor, "*n"]]:
    """Sample distances in equal intervals of each span, and the intervals' length.

    With a generator each sample is uniform in its interval (stratified, for training), without
    it is the interval's midpoint.
    """
    delta = (far - near) / n_samples
    steps = torch.arange(n_samples, device=near.device, dtype=near.dtype)
    if generator is None:
        offsets = steps + 0.5
    else:
        jitter = torch.rand(
            (*near.shape, n_samples), device=near.device, dtype=near.dtype, generator=generator
        )
        offsets = steps + jitter
    return near[..., None] + delta[..., None] * offsets, delta


def composite(
    density: Float[Tensor, "*n s"],
    rgb: Float[Tensor, "*n s 3"],
    *,
    distances: Float[Tensor, "*n s"],
    delta: Float[Tensor, "*n"],
) -> Rendering:
    """Quadrature of the emission–absorption integral over white."""
    optical = density * delta[..., None]
    alpha = -torch.expm1(-optical)
    # exp of the sum before each sample: one product fewer than cumprod and safe for its gradient.
    transmittance = torch.exp(optical - optical.cumsum(-1))
    weights = transmittance * alpha
    opacity = weights.sum(-1)
    colour = (weights[..., None] * rgb).sum(-2) + (1.0 - opacity)[..., None]
    depth = (weights * distances).sum(-1) / opacity.clamp_min(1e-8)
    return Rendering(colour, opacity, depth)


def integrate(
    field: Field,
    origins: Float[Tensor, "*n 3"],
    directions: Float[Tensor, "*n 3"],
    *,
    n_samples: int,
    generator: torch.Generator | None = None,
) -> Rendering:
    """Quadrature of a field along rays through the unit sphere, differentiable if the field is.

    Args:
        field: from points `[*m, 3]` to density and colour, the samples of all rays of a field in
            one row: `[n · s, 3]` for rays `[n, 3]`, `[b, n · s, 3]` for rays `[b, n, 3]`.
        origins, directions: of the rays, directions of unit length.
        n_samples: samples along a ray.
        generator: of stratified samples; midpoints if not given.
    """
    near, far = sphere_span(origins, directions)
    distances, delta = sample_distances(near, far, n_samples=n_samples, generator=generator)
    points = origins[..., None, :] + directions[..., None, :] * distances[..., None]
    density, rgb = field(points.flatten(-3, -2))
    return composite(
        density.reshape(distances.shape),
        rgb.reshape(*distances.shape, 3),
        distances=distances,
        delta=delta,
    )


@torch.no_grad()
def render_view(
    field: Field,
    pose: Float[Tensor, "4 4"],
    *,
    fov_deg: float,
    size: int,
    n_samples: int = 96,
    supersample: int = 1,
    chunk: int = 4096,
) -> Rendering:
    """One square picture of a field, straight from its definition.

    Args:
        field: any callable from points to density and colour.
        pose: camera-to-world matrix on the field's device.
        fov_deg: full field of view across the picture.
        size: side of the picture in pixels.
        n_samples: midpoint samples between entry to and exit from the unit sphere.
        supersample: rays along the side of a pixel, averaged.
        chunk: rays at a time, which bounds the memory.

    Returns:
        A rendering whose tensors are `[size, size, …]`.
    """
    side = size * supersample
    pixels = pixel_grid(side).to(pose)
    origins, directions = camera_rays(pose, pixels, fov_deg=fov_deg, size=side)
    parts = [
        _render_hits(field, origins[k : k + chunk], directions[k : k + chunk], n_samples)
        for k in range(0, len(pixels), chunk)
    ]
    # Row, ray within the row's pixels, column, ray within the column's.
    shape = (size, supersample, size, supersample)
    rgb = torch.cat([part.rgb for part in parts]).reshape(*shape, 3).mean((1, 3))
    opacity = torch.cat([part.alpha for part in parts]).reshape(shape)
    depth = torch.cat([part.depth for part in parts]).reshape(shape)
    alpha = opacity.mean((1, 3))
    depth = (depth * opacity).mean((1, 3)) / alpha.clamp_min(1e-8)
    return Rendering(rgb, alpha, depth)


def _render_hits(
    field: Field, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"], n_samples: int
) -> Rendering:
    near, far = sphere_span(origins, directions)
    hit = far > near
    rgb = torch.ones_like(origins)
    alpha, depth = torch.zeros_like(near), torch.zeros_like(near)
    if hit.any():
        seen = integrate(field, origins[hit], directions[hit], n_samples=n_samples)
        rgb[hit], alpha[hit], depth[hit] = seen.rgb, seen.alpha, seen.depth
    return Rendering(rgb, alpha, depth)
