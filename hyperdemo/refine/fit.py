"""Test-time optimisation (Trans-INR, arXiv 2208.02801, section 4.3) without a given camera.

A generated field is soft, but a good start: some steps of gradient descent on the one picture
sharpen what it shows, and with it the outline from behind and much of the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams
from hyperdemo.refine.camera import InputCamera, input_rays
from hyperdemo.render.rays import RayLoss, render_rays

RAYS, SAMPLES = 1024, 32
LR, LR_CAMERA = 2e-3, 2e-3


@dataclass(frozen=True)
class Refined:
    """An INR after some steps.

    Attributes:
        step: how many steps.
        params: its weights.
        camera: the estimate of the picture's camera.
        error: mean squared error of the colour in this step's rays.
    """

    step: int
    params: InrParams
    camera: InputCamera
    error: float


def refine(
    config: FieldConfig,
    params: InrParams,
    rgb: Float[Tensor, "s s 3"],
    *,
    alpha: Float[Tensor, "s s"],
    camera: InputCamera,
    steps: int,
    objective: RayLoss,
) -> Iterator[Refined]:
    """Fit an INR, and the camera, to the framed picture that it was generated from.

    Args:
        config: of the field.
        params: one INR; it is left as it is.
        rgb: the framed picture on white, in [0, 1], on the device of the weights.
        alpha: opacity of the object in it.
        camera: where to start from.
        steps: of Adam, whose learning rate falls to 0 along a cosine.
        objective: the loss, best that of the model's training.

    Yields:
        The state after each step.
    """
    generator = torch.Generator(rgb.device).manual_seed(0)
    with torch.inference_mode(False), torch.enable_grad():
        weights = [w.detach().clone().requires_grad_() for w in params.weights]
        biases = [b.detach().clone().requires_grad_() for b in params.biases]
        values = camera.values().to(rgb.device).requires_grad_()
    optimizer = torch.optim.Adam(
        [{"params": [*weights, *biases], "peak": LR}, {"params": [values], "peak": LR_CAMERA}]
    )
    rgba = straight(rgb, alpha)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * 0.5 * (1 + math.cos(math.pi * step / steps))
        with torch.inference_mode(False), torch.enable_grad():
            fitted = InrParams(tuple(weights), tuple(biases))
            pixels = torch.randint(len(rgba), (RAYS, 2), generator=generator, device=rgba.device)
            origins, directions = input_rays(values, (pixels + 0.5) / len(rgba))
            rendering = render_rays(
                config, fitted, origins[None], directions=directions[None], samples=SAMPLES,
                generator=generator,
            )  # fmt: skip
            loss, error = objective(rendering, rgba[pixels[:, 1], pixels[:, 0]][None])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        now = InrParams(*(tuple(t.detach().clone() for t in ts) for ts in (weights, biases)))
        yield Refined(step + 1, now, InputCamera.of(values.detach()), error.item())


def straight(rgb: Float[Tensor, "s s 3"], alpha: Float[Tensor, "s s"]) -> Float[Tensor, "s s 4"]:
    """Straight colour and opacity of an object that was composited over white."""
    opacity = alpha[..., None]
    own = (rgb - (1 - opacity)) / opacity.clamp_min(1e-3)
    return torch.cat([own.clamp(0, 1), opacity], dim=-1)
