"""What tells a photograph from a rendering, done to pictures that a model learns from."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

SCALE = 0.06
"""Largest relative error of an object's size in its frame."""
SHIFT = 0.05
"""Largest error of its place, as a share of the frame."""
NOISE = 0.03
"""Largest standard deviation of the noise, of values in [0, 1]."""


def random_gammas(objects: int, tone: float, generator: torch.Generator) -> Float[Tensor, "b 1 3"]:
    """Exponents of the colour channels: exposure common to all three, and a quarter as much white
    balance. They leave white as it is, the ground of every picture.

    Args:
        objects: how many.
        tone: largest logarithm of the common exponent.
        generator: of the exponents, on whose device they are.
    """
    shape = objects, 1, 4
    drawn = torch.rand(shape, generator=generator, device=generator.device) * 2 - 1
    return (tone * (drawn[..., :1] + drawn[..., 1:] / 4)).exp()


def photographed(
    framed: UInt8[Tensor, "b s s 3"], share: float, generator: torch.Generator
) -> UInt8[Tensor, "b s s 3"]:
    """Encoder inputs of which some are framed off-centre, blurred and noisy, on their white ground.

    Args:
        framed: the inputs.
        share: of them that are changed.
        generator: on their device; all that is random comes from it.
    """
    device, n = framed.device, len(framed)

    def signed(*shape: int) -> Tensor:
        return torch.rand(shape, device=device, generator=generator) * 2 - 1

    darkness = 1 - framed.movedim(-1, 1).float() / 255  # zero on white, which fills what comes in
    place = torch.zeros(n, 2, 3, device=device)
    place[:, [0, 1], [0, 1]] = 1 + SCALE * signed(n, 1)
    place[:, :, 2] = 2 * SHIFT * signed(n, 2)
    grid = F.affine_grid(place, list(darkness.shape), align_corners=False)
    moved = F.grid_sample(darkness, grid, padding_mode="zeros", align_corners=False)
    softness = signed(n, 1, 1, 1).abs()
    moved = moved + softness * (_blurred(moved) - moved)
    noise = NOISE * signed(n, 1, 1, 1).abs() * torch.randn(
        moved.shape, device=device, generator=generator
    )  # fmt: skip
    moved = moved + noise * (moved > 0.02).any(1, keepdim=True)
    worn = (255 * (1 - moved)).round().clamp(0, 255).to(torch.uint8).movedim(1, -1)
    chosen = torch.rand(n, 1, 1, 1, device=device, generator=generator) < share
    return torch.where(chosen, worn, framed)


def _blurred(pictures: Float[Tensor, "b c s s"]) -> Float[Tensor, "b c s s"]:
    """Each pixel with its neighbours, weighed 1 2 1 both ways."""
    row = pictures.new_tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(row, row).expand(pictures.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(pictures, (1, 1, 1, 1)), kernel, groups=pictures.shape[1])
