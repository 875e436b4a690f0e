"""A quick score during training: PSNR of unseen objects from one input view each."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.inr import InrParams
from hyperdemo.model import HyperModel, to_pixels
from hyperdemo.render.cameras import camera_rays, pixel_grid
from hyperdemo.render.rays import render_rays
from train.view.data import ViewSet


@torch.no_grad()
def quick_psnr(
    model: HyperModel,
    views: ViewSet,
    *,
    device: torch.device,
    target_views: int = 4,
    stride: int = 4,
    samples: int = 32,
) -> float:
    """Mean over objects of the PSNR in dB, over white.

    The input is each object's first view, the targets are views spread over the rest, on every
    `stride`-th pixel. Deterministic, and the same for every run, so that runs compare.
    """
    model.eval()
    targets = torch.linspace(1, views.rgba.shape[1] - 1, target_views).round().long()
    grid = pixel_grid(views.size).reshape(views.size, views.size, 2)
    pixels = grid[stride // 2 :: stride, stride // 2 :: stride].reshape(-1, 2)
    scores = []
    for obj in range(len(views)):
        # One object at a time: all at once would take gigabytes for the field's activations.
        params = model.encode(to_pixels(views.framed[obj, :1], device=device))
        poses = views.poses_from(obj, 0)[targets]
        mse = _squared_error(
            model, params, views.rgba[obj, targets], poses=poses, pixels=pixels,
            fov_deg=views.fov_deg, samples=samples, device=device,
        )  # fmt: skip
        scores.append(-10 * torch.log10(mse))
    return torch.stack(scores).mean().item()


def _squared_error(
    model: HyperModel,
    params: InrParams,
    rgba: Tensor,
    *,
    poses: Float[Tensor, "t 4 4"],
    pixels: Float[Tensor, "n 2"],
    fov_deg: float,
    samples: int,
    device: torch.device,
) -> Float[Tensor, ""]:
    size = rgba.shape[1]
    origins, directions = camera_rays(
        poses, pixels.expand(len(poses), -1, -1), fov_deg=fov_deg, size=size
    )
    rendering = render_rays(
        model.config.field,
        params,
        origins.reshape(1, -1, 3).to(device),
        directions=directions.reshape(1, -1, 3).to(device),
        samples=samples,
        generator=None,
    )
    column, row = pixels[:, 0].long(), pixels[:, 1].long()
    seen = rgba[:, row, column].reshape(-1, 4).to(device).float() / 255
    truth = seen[:, :3] * seen[:, 3:] + 1 - seen[:, 3:]
    return (rendering.rgb[0] - truth).square().mean()
