"""What a hypernetwork for objects is held to while it learns, and how it is scored meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import FieldConfig, RayData
from hyperdemo.inr import InrParams
from hyperdemo.learn.batches import RayBatch
from hyperdemo.learn.views import ViewSet
from hyperdemo.render.cameras import camera_rays, pixel_grid
from hyperdemo.render.rays import RayLoss, render_rays


def ray_objective(
    field: FieldConfig,
    params: InrParams,
    batch: RayBatch,
    *,
    data: RayData,
    generator: torch.Generator,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """The loss of the INRs that were written for a batch, and their squared error of the colour.

    Args:
        field: shape of the INRs.
        params: those of the batch's objects.
        batch: inputs and target rays.
        data: samples per ray, and what is weighed how.
        generator: of the stratified samples.
    """
    rendering = render_rays(
        field, params, batch.origins, directions=batch.directions, samples=data.samples,
        generator=generator,
    )  # fmt: skip
    return RayLoss(data.alpha_weight, data.absolute_weight)(rendering, batch.rgba)


@torch.no_grad()
def object_psnr(
    field: FieldConfig,
    params: InrParams,
    views: ViewSet,
    obj: int,
    *,
    targets: Sequence[int],
    stride: int = 4,
    samples: int = 32,
) -> Float[Tensor, ""]:
    """PSNR in dB, over white, of the one INR written for the first view of an object.

    Args:
        field: shape of the INR.
        params: the INR, which says on what device.
        views: holds the object.
        obj: its index.
        targets: views that are compared, on every `stride`-th pixel.
        samples: samples per ray, at midpoints.
    """
    chosen = torch.as_tensor(targets)
    grid = pixel_grid(views.size).reshape(views.size, views.size, 2)
    pixels = grid[stride // 2 :: stride, stride // 2 :: stride].reshape(-1, 2)
    column, row = pixels.long().unbind(-1)
    where = pixels.expand(len(chosen), -1, -1)
    poses = views.poses_from(obj, 0)[chosen]
    rays = camera_rays(poses, where, fov_deg=views.fov_deg, size=views.size)
    device = params.weights[0].device
    origins, directions = (part.reshape(1, -1, 3).to(device) for part in rays)
    seen = render_rays(
        field, params, origins, directions=directions, samples=samples, generator=None
    )
    rgba = views.rgba[obj, chosen][:, row, column].reshape(-1, 4).to(device).float() / 255
    truth = rgba[:, :3] * rgba[:, 3:] + 1 - rgba[:, 3:]
    return -10 * torch.log10((seen.rgb[0] - truth).square().mean())
