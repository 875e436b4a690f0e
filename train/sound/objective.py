"""The training objective of the sound task: waveforms, and spectrograms at several resolutions."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from hyperdemo.metrics.stft import stft_power

EMPHASIS = 0.95
"""Raises what lies above 4 kHz by 19 dB or more against what lies below 400 Hz."""
FFT_SIZES = (256, 512, 1024)  # 16, 32 and 64 ms at 16 kHz; hops are a quarter of each

# Magnitudes below this are one: with a Hann window of 256 samples, a hiss of −90 dBFS.
_FLOOR = 3e-4


# Windows softer than this, -50 dB of full scale, count as if they were as loud.
_QUIET_RMS = 10 ** (-50 / 20)


def waveform_loss(
    estimate: Float[Tensor, "b n"], target: Float[Tensor, "b n"]
) -> Float[Tensor, ""]:
    """Energy of the error relative to that of the sound, averaged over sounds.

    Relative, so that soft speech counts as much as loud speech: both are heard.
    """
    energy = target.square().mean(1).clamp_min(_QUIET_RMS**2)
    return ((estimate - target).square().mean(1) / energy).mean()


def spectral_loss(
    estimate: Float[Tensor, "b n"], target: Float[Tensor, "b n"]
) -> Float[Tensor, ""]:
    """Multi-resolution STFT loss (Yamamoto et al. 2020, Eq. 3–6), averaged over resolutions.

    Of each resolution: the spectral convergence, ‖|Y| − |X|‖ / ‖Y‖ a sound, and the mean absolute
    difference of the natural logarithms. Frames lie whole inside the sound.

    Args:
        estimate: sounds of at least the longest FFT's samples.
        target: the same sounds as they should be.

    Raises:
        ValueError: sounds too short.
    """
    if target.shape[-1] < FFT_SIZES[-1]:
        raise ValueError(
            f"sounds of at least {FFT_SIZES[-1]} samples expected, got {target.shape[-1]}"
        )
    total = estimate.new_zeros(())
    for size in FFT_SIZES:
        x, y = _magnitudes(estimate, size), _magnitudes(target, size)
        convergence = (y - x).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)
        total = total + convergence.mean() + (y.log() - x.log()).abs().mean()
    return total / len(FFT_SIZES)


def _magnitudes(wave: Float[Tensor, "b n"], size: int) -> Float[Tensor, "b f t"]:
    """Magnitude spectrogram with a floor, below which neither logarithm nor gradient runs away."""
    return stft_power(wave, n_fft=size, hop=size // 4).clamp_min(_FLOOR**2).sqrt()
