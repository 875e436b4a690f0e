"""A quick score during training: PSNR of unseen objects from one input view each."""

from __future__ import annotations

import torch

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
    column, row = pixels.long().unbind(-1)
    scores = []
    for obj in range(len(views)):
        # One object at a time: all at once would take gigabytes for the field's activations.
        params = model.encode(to_pixels(views.framed[obj, :1], device=device))
        poses = views.poses_from(obj, 0)[targets]
        where = pixels.expand(target_views, -1, -1)
        rays = camera_rays(poses, where, fov_deg=views.fov_deg, size=views.size)
        origins, directions = (part.reshape(1, -1, 3).to(device) for part in rays)
        seen = render_rays(
            model.config.field, params, origins, directions=directions, samples=samples,
            generator=None,
        )  # fmt: skip
        rgba = views.rgba[obj, targets][:, row, column].reshape(-1, 4).to(device).float() / 255
        truth = rgba[:, :3] * rgba[:, 3:] + 1 - rgba[:, 3:]
        scores.append(-10 * torch.log10((seen.rgb[0] - truth).square().mean()))
    return torch.stack(scores).mean().item()
