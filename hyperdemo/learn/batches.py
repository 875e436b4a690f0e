"""Training batches of objects: one input view of each object, rays of other views as targets.

Every pose is relative to the input view: the world is turned about y until the input camera stands
at azimuth 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from hyperdemo.config import RayData
from hyperdemo.learn.photographs import photographed, random_gammas
from hyperdemo.learn.views import ViewSet
from hyperdemo.render.cameras import camera_rays, look_at_origin

UNLABELLED_ELEVATION_DEG = 20.0
"""Where a camera is put that nobody knows the place of, its distance the data set's."""


@dataclass(frozen=True)
class RayBatch:
    """Inputs of b objects with n target rays each.

    Attributes:
        framed: encoder inputs, uint8 RGB.
        drawn: object and view of each, as they stand in the set of views.
        origins, directions: target rays in the frame of the input view.
        rgba: straight-alpha target of each ray, in [0, 1].
    """

    framed: UInt8[Tensor, "b s s 3"]
    drawn: Int[Tensor, "b 2"]
    origins: Float[Tensor, "b n 3"]
    directions: Float[Tensor, "b n 3"]
    rgba: Float[Tensor, "b n 4"]


def draw_batch(
    views: ViewSet,
    data: RayData,
    *,
    objects: int,
    generator: torch.Generator,
    chances: Float[Tensor, " n"] | None = None,
    input_views: int | None = None,
) -> RayBatch:
    """Random objects, a random input view of each, and random rays of random views.

    Args:
        views: objects to draw from.
        data: numbers of target views and rays, and the shares of rays and objects: of rays that
            fall on or within four pixels of the object, where the gradient is; of objects that are
            mirrored, the world of the input view at its plane x = 0; of objects whose colour
            channels are in a random order, which leaves greys and the white ground as they are; how
            far exposures go, and of how many inputs are made like photographs.
        objects: how many.
        generator: on the views' device; all that is random comes from it.
        chances: of each object to be drawn; all alike if not given.
        input_views: how many of the first views may be the input; all if not given.
    """
    device = views.rgba.device

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, device=device, generator=generator)

    n_views = views.rgba.shape[1]
    if chances is None:
        obj = draw(len(views), objects)
    else:
        obj = torch.multinomial(chances, objects, replacement=True, generator=generator)
    inputs = draw(input_views or n_views, objects)
    unlabelled = data.targets == "input"
    shape = objects, data.target_views
    targets = inputs[:, None].expand(shape) if unlabelled else draw(n_views, *shape)
    size = views.size
    seen = views.rgba[obj[:, None], targets].flatten(0, 1)
    pixels = _draw_pixels(seen, data.rays, data.near_share, generator)
    rgba = seen.flatten(1, 2).gather(1, pixels[..., None].expand(-1, -1, 4))
    where = torch.stack([pixels % size, pixels // size], dim=-1).float() + 0.5
    poses = views.turns[obj, inputs][:, None] @ views.poses[obj[:, None], targets]
    if unlabelled:
        usual = look_at_origin(0.0, UNLABELLED_ELEVATION_DEG)
        poses = torch.from_numpy(usual).to(poses).expand_as(poses)
    origins, directions = camera_rays(poses.flatten(0, 1), where, fov_deg=views.fov_deg, size=size)
    framed = views.framed[obj, inputs]
    flips = torch.rand(objects, device=device, generator=generator) < data.mirror
    sign = torch.ones(objects, 1, 3, device=device)
    sign[..., 0] -= 2.0 * flips[:, None]
    framed = torch.where(flips[:, None, None, None], framed.flip(2), framed)
    rgba = rgba.reshape(objects, -1, 4)
    if data.recolour:
        order = torch.rand(objects, 3, device=device, generator=generator).argsort(1)
        kept = torch.rand(objects, 1, device=device, generator=generator) >= data.recolour
        order = torch.where(kept, torch.arange(3, device=device), order)
        framed = framed.gather(3, order[:, None, None].expand_as(framed))
        rgb = rgba[..., :3].gather(2, order[:, None].expand(-1, rgba.shape[1], -1))
        rgba = torch.cat([rgb, rgba[..., 3:]], dim=2)
    rgba = rgba.float() / 255
    if data.tone:
        gammas = random_gammas(objects, data.tone, generator)
        rgba = torch.cat([rgba[..., :3] ** gammas, rgba[..., 3:]], dim=2)
        framed = (255 * (framed / 255) ** gammas[:, None]).round().to(torch.uint8)
    if data.photographed:
        framed = photographed(framed, data.photographed, generator)
    return RayBatch(
        framed,
        torch.stack([obj, inputs], dim=1),
        origins.reshape(objects, -1, 3) * sign,
        directions.reshape(objects, -1, 3) * sign,
        rgba,
    )


def near_object(rgba: UInt8[Tensor, "m h w 4"]) -> Float[Tensor, "m h w"]:
    """One where a pixel shows the object or lies within four pixels of it, else zero."""
    opaque = (rgba[..., 3] > 0).float()[:, None]
    # Rows, then columns: the same as a square of nine at a fifth of its time.
    rows = F.max_pool2d(opaque, (1, 9), stride=1, padding=(0, 4))
    return F.max_pool2d(rows, (9, 1), stride=1, padding=(4, 0))[:, 0]


def _draw_pixels(
    rgba: UInt8[Tensor, "m h w 4"], rays: int, near_share: float, generator: torch.Generator
) -> Tensor:
    """Flat pixel indices `[m, rays]`: `near_share` of them near the object, the rest anywhere."""
    if not near_share:
        shape = len(rgba), rays
        pixels = rgba.shape[1] * rgba.shape[2]
        return torch.randint(pixels, shape, device=rgba.device, generator=generator)
    near = near_object(rgba).flatten(1)
    uniform = torch.full_like(near, 1.0 / near.shape[1])
    weight = (1 - near_share) * uniform + near_share * near / near.sum(1, keepdim=True).clamp_min(1)
    return torch.multinomial(weight, rays, replacement=True, generator=generator)
