"""A quick score during training: PSNR of unseen objects from one input view each."""

from __future__ import annotations

import torch

from hyperdemo.model import HyperModel, to_pixels
from hyperdemo.render.cameras import camera_rays, pixel_grid
from train.data import ViewSet, turn_poses
from train.objective import render_rays


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
    views = views.to(device)
    n, v = views.rgba.shape[:2]
    params = model.encode(to_pixels(views.framed[:, 0], device=device))
    targets = torch.linspace(1, v - 1, target_views).round().long()
    grid = pixel_grid(views.size).to(device)
    grid = grid.reshape(views.size, views.size, 2)[stride // 2 :: stride, stride // 2 :: stride]
    pixels = grid.reshape(-1, 2)
    poses = turn_poses(views.poses[:, targets], -views.azimuths[:, :1].expand(n, target_views))
    origins, directions = camera_rays(
        poses, pixels.expand(n, target_views, -1, -1), fov_deg=views.fov_deg, size=views.size
    )
    rendering = render_rays(
        model.config.field,
        params,
        origins.flatten(1, 2),
        directions=directions.flatten(1, 2),
        samples=samples,
        generator=None,
    )
    column, row = pixels[:, 0].long(), pixels[:, 1].long()
    rgba = views.rgba[:, targets][:, :, row, column].flatten(1, 2).float() / 255
    truth = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
    mse = (rendering.rgb - truth).square().flatten(1).mean(1)
    return -10 * torch.log10(mse).mean().item()
