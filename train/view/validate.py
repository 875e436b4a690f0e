"""A quick score during training: PSNR of unseen objects from one input view each."""

from __future__ import annotations

import torch

from hyperdemo.learn.objective import object_psnr
from hyperdemo.learn.views import ViewSet
from hyperdemo.model import HyperModel, to_pixels


@torch.no_grad()
def quick_psnr(
    model: HyperModel, views: ViewSet, *, device: torch.device, target_views: int = 4
) -> float:
    """Mean over objects of the PSNR in dB, over white.

    The input is each object's first view, the targets are views spread over the rest.
    Deterministic, and the same for every run, so that runs compare.
    """
    model.eval()
    targets = torch.linspace(1, views.rgba.shape[1] - 1, target_views).round().long().tolist()
    scores = []
    for obj in range(len(views)):
        # One object at a time: all at once would take gigabytes for the field's activations.
        params = model.encode(to_pixels(views.framed[obj, :1], device=device))
        scores.append(object_psnr(model.config.field, params, views, obj, targets=targets))
    return torch.stack(scores).mean().item()
