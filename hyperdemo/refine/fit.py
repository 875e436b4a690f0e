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
from torch.optim.adam import adam

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams
from hyperdemo.refine.camera import InputCamera, input_rays
from hyperdemo.render.rays import RayLoss, render_rays

RAYS, SAMPLES = 1024, 32
LR = 2e-3  # of weights and camera


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
        optimizer = _Adam([*weights, *biases, values])
    rgba = straight(rgb, alpha)
    for step in range(steps):
        share = 0.5 * (1 + math.cos(math.pi * step / steps))
        with torch.inference_mode(False), torch.enable_grad():
            fitted = InrParams(tuple(weights), tuple(biases))
            pixels = torch.randint(len(rgba), (RAYS, 2), generator=generator, device=rgba.device)
            origins, directions = input_rays(values, (pixels + 0.5) / len(rgba))
            rendering = render_rays(
                config, fitted, origins[None], directions=directions[None], samples=SAMPLES,
                generator=generator,
            )  # fmt: skip
            loss, error = objective(rendering, rgba[pixels[:, 1], pixels[:, 0]][None])
            loss.backward()
            optimizer.step(lr=LR * share)
        now = InrParams(*(tuple(t.detach().clone() for t in ts) for ts in (weights, biases)))
        yield Refined(step + 1, now, InputCamera.of(values.detach()), error.item())


class _Adam:
    """`torch.optim.Adam`, but for its question to the GPU before each step, wherever the tensors
    are: on ZeroGPU there is one to torch's knowledge, and none that may be asked."""

    def __init__(self, parameters: list[Tensor]):
        self.parameters = parameters
        self.means = [torch.zeros_like(p) for p in parameters]
        self.squares = [torch.zeros_like(p) for p in parameters]
        self.counts = [torch.zeros(()) for _ in parameters]

    @torch.no_grad()
    def step(self, *, lr: float) -> None:
        """Follow the gradients, and forget them."""
        grads = [p.grad for p in self.parameters]
        adam(
            self.parameters, grads, self.means, self.squares, [], self.counts, amsgrad=False,
            beta1=0.9, beta2=0.999, lr=lr, weight_decay=0.0, eps=1e-8, maximize=False,
        )  # fmt: skip
        for parameter in self.parameters:
            parameter.grad = None


def straight(rgb: Float[Tensor, "s s 3"], alpha: Float[Tensor, "s s"]) -> Float[Tensor, "s s 4"]:
    """Straight colour and opacity of an object that was composited over white."""
    opacity = alpha[..., None]
    own = (rgb - (1 - opacity)) / opacity.clamp_min(1e-3)
    return torch.cat([own.clamp(0, 1), opacity], dim=-1)
