"""The metrics of a resynthesis side by side, each where it has a meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hyperdemo.metrics.audio import (
    PESQ_MIN_SECONDS,
    PESQ_RATE_HZ,
    log_spectral_distance,
    pesq_wb,
    si_snr,
    stoi,
    waveform_psnr,
)


@dataclass(frozen=True)
class SoundScores:
    """How far a resynthesis is from the sound that went in.

    Attributes:
        psnr_db: of the waveform, peak to peak, as GINR-IPC reports it; None for an equal one.
        si_snr_db: scale-invariant signal-to-noise ratio; None where it is infinite or the sound
            is silent.
        lsd_db: log-spectral distance.
        stoi: intelligibility, about 0 to 1; None for silence and for clips too short for it.
        pesq: wide-band PESQ, 1.04 to 4.64; None where it was not asked for or finds no speech.
    """

    psnr_db: float | None
    si_snr_db: float | None
    lsd_db: float
    stoi: float | None
    pesq: float | None = None


def score_sound(
    estimate: Float[np.ndarray, " n"],
    target: Float[np.ndarray, " n"],
    *,
    rate_hz: int,
    with_pesq: bool = False,
) -> SoundScores:
    """All metrics of one sound.

    Args:
        estimate, target: mono, full scale at ±1; numbers compare only at one rate, 16 kHz in
            this project.
        rate_hz: of both.
        with_pesq: also PESQ, which needs the package `pesq` and 16 kHz.

    Raises:
        ValueError: the lengths differ, there is no sample, or one is not finite.
    """
    psnr = waveform_psnr(estimate, target)
    ratio = si_snr(estimate, target)
    try:
        heard = stoi(estimate, target, rate_hz=rate_hz)
    except ValueError:
        heard = None  # too short; whatever else is wrong has been found by then
    long_enough = rate_hz == PESQ_RATE_HZ and len(target) >= PESQ_MIN_SECONDS * rate_hz
    return SoundScores(
        psnr_db=_finite(psnr),
        si_snr_db=_finite(ratio),
        lsd_db=log_spectral_distance(estimate, target),
        stoi=heard,
        pesq=pesq_wb(estimate, target, rate_hz=rate_hz) if with_pesq and long_enough else None,
    )


def _finite(value: float | None) -> float | None:
    """None for infinity, which JSON does not know."""
    return value if value is not None and math.isfinite(value) else None
