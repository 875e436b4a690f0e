"""Windows of sound as another microphone, room or throat would give them.

What is changed is input and target alike: the model learns to write more kinds of sound, not to
clean any.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

MAX_SPEED = 1.4
"""Voices from a fifth lower to a fifth higher, nearly: of children, where only adults are heard."""
_ANCHORS = 8
_EQUALISER_DB = 12.0
_MIX_DB = (0.0, 25.0)
_NOISE_DB = (10.0, 40.0)


def augmented(
    windows: Float[Tensor, "m longer"], *, window: int, share: float, generator: torch.Generator
) -> Float[Tensor, "m window"]:
    """Windows, each changed in each of four ways with a chance of `share`.

    Speed and pitch by up to `MAX_SPEED` either way; an equaliser of smooth random gains within
    ±12 dB; the window before it, 0 to 25 dB softer; white noise, 10 to 40 dB softer. Levels are
    those of the energies.

    Args:
        windows: at least `window · MAX_SPEED` samples each, of which the first are used.
        window: samples to return.
        share: chance of each change, from 0 to 1; 0 only cuts.
        generator: on the windows' device.

    Returns:
        Samples in [-1, 1]: what would be louder is turned down as a whole.
    """
    chosen = _rand(4, len(windows), 1, generator=generator) < share
    low, high = torch.tensor([1 / MAX_SPEED, MAX_SPEED]).log()
    factors = torch.exp(low + (high - low) * _rand(len(windows), generator=generator))
    factors = torch.where(chosen[0, :, 0], factors, 1.0).tolist()
    rows = zip(windows, factors, strict=True)
    out = torch.stack([resampled(row[: round(window * f)], window) for row, f in rows])
    gains = _EQUALISER_DB * (2 * _rand(len(out), _ANCHORS, generator=generator) - 1)
    out = torch.where(chosen[1], equalised(out, gains), out)
    noise = torch.randn(out.shape, generator=generator, device=out.device)
    for use, other, (least, most) in (
        (chosen[2], out.roll(1, 0), _MIX_DB),
        (chosen[3], noise, _NOISE_DB),
    ):
        snr_db = least + (most - least) * _rand(len(out), 1, generator=generator)
        out = torch.where(use, mixed(out, other, snr_db), out)
    return out / out.abs().amax(1, keepdim=True).clamp_min(1.0)


def _rand(*shape: int, generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=generator.device)


def resampled(wave: Float[Tensor, " n"], length: int) -> Float[Tensor, " length"]:
    """The same wave in another number of samples, band-limited, as if it were periodic."""
    if len(wave) == length:
        return wave
    spectrum = torch.fft.rfft(wave)[: length // 2 + 1]
    return torch.fft.irfft(spectrum, n=length) * (length / len(wave))


def equalised(
    waves: Float[Tensor, "m n"], gains_db: Float[Tensor, "m anchors"]
) -> Float[Tensor, "m n"]:
    """Gains in dB at frequencies spaced evenly in the square root, joined by straight lines."""
    n = waves.shape[1]
    anchors = gains_db.shape[1] - 1
    place = anchors * torch.linspace(0, 1, n // 2 + 1, device=waves.device).sqrt()
    first = place.long().clamp_max(anchors - 1)
    gains = torch.lerp(gains_db[:, first], gains_db[:, first + 1], place - first)
    return torch.fft.irfft(torch.fft.rfft(waves) * 10 ** (gains / 20), n=n)


def mixed(
    waves: Float[Tensor, "m n"], others: Float[Tensor, "m n"], snr_db: Float[Tensor, "m 1"]
) -> Float[Tensor, "m n"]:
    """Waves with others added, so many decibels below them in energy."""
    level = waves.square().mean(1, keepdim=True) / others.square().mean(1, keepdim=True).clamp_min(
        1e-12
    )
    return waves + others * level.sqrt() * 10 ** (-snr_db / 20)
