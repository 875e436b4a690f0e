"""The masks of a sound's networks in coordinates in which they take fewer bytes.

Many numbers of a mask go together, and not all of them are heard alike. So they are turned into
coefficients that are uncorrelated and of which each, moved by as much, makes as large an error in
the waveform: the Karhunen-Loève transform in the metric of the networks' Jacobian. There one step
for all is best (Gersho & Gray, Vector Quantization and Signal Compression, 1992, chapter 8), and a
range coder that knows how far each coefficient spreads does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import constriction
import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.func import jacrev

from hyperdemo.config import SAMPLE_RATE_HZ, SoundFieldConfig
from hyperdemo.inr import ModulatedInrs
from hyperdemo.inr.sound import sound
from train.subsets import spread

PROBES = 100
"""Networks whose Jacobians are taken; each has as many rows as a stretch has samples."""
LEAST_HEARD = 1e-7
"""Directions with less than this share of the best one's energy are left at their mean."""
_MOST = 32767
_NARROWEST = 1e-3  # of a Laplacian, in steps
_FAMILY = constriction.stream.model.QuantizedLaplace(-_MOST, _MOST)

Levels = Integer[np.ndarray, "n c"]


@dataclass(frozen=True)
class MaskTransform:
    """From the g numbers that are written per network to c coefficients, and back.

    Coefficients are errors of the waveform: of a change of theirs the norm is that of what changes
    in a stretch, as a share of the norm of all stretches (root mean square).

    Attributes:
        mean: of the numbers.
        forward, backward: what their difference from it is multiplied with, and what gives it back.
        spread: mean absolute value of each coefficient.
    """

    mean: Float[Tensor, " g"]
    forward: Float[Tensor, "g c"]
    backward: Float[Tensor, "c g"]
    spread: Float[Tensor, " c"]

    def coefficients(self, numbers: Float[Tensor, "n g"]) -> Float[Tensor, "n c"]:
        return (numbers.double() - self.mean) @ self.forward

    def numbers(self, coefficients: Float[Tensor, "n c"]) -> Float[Tensor, "n g"]:
        return self.mean + coefficients @ self.backward


def numbers_of(inrs: ModulatedInrs) -> Float[Tensor, "n g"]:
    """All masks of each network in a row.

    Raises:
        ValueError: the networks differ in more than their masks.
    """
    if inrs.shifts:
        raise ValueError("networks that share their biases expected, got some with their own")
    return torch.cat([mask.flatten(1) for mask in inrs.masks], 1)


def with_numbers(inrs: ModulatedInrs, numbers: Float[Tensor, "n g"]) -> ModulatedInrs:
    """The networks with other masks."""
    parts = numbers.to(inrs.masks[0]).split([mask[0].numel() for mask in inrs.masks], dim=1)
    masks = zip(parts, inrs.masks, strict=True)
    return replace(inrs, masks=tuple(part.reshape(mask.shape) for part, mask in masks))


@torch.no_grad()
def fit_transform(
    config: SoundFieldConfig, written: Sequence[ModulatedInrs], *, probes: int = PROBES
) -> MaskTransform:
    """The transform of what was written for some sounds.

    Args:
        config: of the fields.
        written: the networks of each sound, all with the same base weights.
        probes: networks of them, evenly spread, whose Jacobians are taken.
    """
    inrs = ModulatedInrs.join(written)
    numbers = numbers_of(inrs).double()
    some = inrs[torch.tensor(spread(range(len(inrs)), probes))]
    heard, directions = torch.linalg.eigh(sensitivity(config, some))
    kept = heard > LEAST_HEARD * heard[-1]
    directions, weight = directions[:, kept], heard[kept].sqrt()
    mean = numbers.mean(0)
    felt = (numbers - mean) @ (directions * weight)
    _, turn = torch.linalg.eigh(felt.T @ felt)
    return MaskTransform(
        mean, (directions * weight) @ turn, turn.T @ (directions / weight).T,
        (felt @ turn).abs().mean(0),
    )  # fmt: skip


@torch.no_grad()
def sensitivity(config: SoundFieldConfig, inrs: ModulatedInrs) -> Float[Tensor, "g g"]:
    """Mean of JᵀJ over the networks, divided by the mean of their stretches' squared norms.

    J is the derivative of a stretch's samples at 16 kHz by all numbers of its network, without the
    gain: an error counts as a share of what the network says, however loud that is played.
    """
    n = config.stretch
    middle = (n - 1) / 2
    seconds = ((torch.arange(n) - middle) / SAMPLE_RATE_HZ).to(inrs.gains)[None]
    total, power = 0.0, 0.0
    for k in range(len(inrs)):
        one = replace(inrs[k : k + 1], gains=inrs.gains.new_ones(1))

        def waves(numbers: Tensor, one: ModulatedInrs = one) -> Tensor:
            return sound(config, with_numbers(one, numbers[None]).params(), seconds)[0]

        own = numbers_of(one)[0]
        jacobian = jacrev(waves, chunk_size=60)(own).double()
        total = total + jacobian.T @ jacobian
        power += float(waves(own).double().square().sum())
    return total / power


@torch.no_grad()
def transformed(
    inrs: ModulatedInrs, transform: MaskTransform, *, step: float
) -> tuple[ModulatedInrs, int]:
    """The networks after rounding, and the bytes of what they were rounded to.

    Args:
        inrs: of a sound.
        transform: fitted to networks with the same base weights.
        step: between the levels of a coefficient; the mean error of the waveform is about
            step · √(c / 12) of its norm where most coefficients are longer than that.
    """
    coefficients = transform.coefficients(numbers_of(inrs))
    levels = (coefficients / step).round().clamp(-_MOST, _MOST)
    coded = encode(levels.numpy().astype(np.int32), transform.spread.numpy() / step)
    return with_numbers(inrs, transform.numbers(step * levels)), len(coded)


def encode(levels: Levels, spread: Float[np.ndarray, " c"]) -> bytes:
    """Integers within ±32767 through a range coder, each as from a Laplacian of its column.

    Args:
        levels: a row per network.
        spread: mean absolute value of each column, in levels.
    """
    coder = constriction.stream.queue.RangeEncoder()
    scales = _scales(spread, len(levels))
    coder.encode(levels.ravel(), _FAMILY, np.zeros(scales.size), scales)
    return coder.get_compressed().tobytes()


def decode(coded: bytes, spread: Float[np.ndarray, " c"], *, n: int) -> Levels:
    """What `encode` was given, for so many networks."""
    decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(coded, np.uint32))
    scales = _scales(spread, n)
    return decoder.decode(_FAMILY, np.zeros(scales.size), scales).reshape(n, -1)


def _scales(spread: Float[np.ndarray, " c"], n: int) -> Float[np.ndarray, " s"]:
    return np.tile(np.maximum(spread, _NARROWEST).astype(np.float64), n)
