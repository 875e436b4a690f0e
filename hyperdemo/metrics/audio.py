"""How far a resynthesis is from the sound: by samples, by spectrum, by models of the ear.

Signals are mono, of one length, with full scale at ±1. Nothing here returns NaN: where a metric
has no meaning, such as the intelligibility of silence, it is None, and where a ratio is one to
nothing it is ±infinity.
"""

from __future__ import annotations

import importlib
import importlib.util
import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.signal import resample_poly
from torch import Tensor

from hyperdemo.metrics.stft import stft_power

Signal = Float[np.ndarray, " n"]

LSD_FLOOR_DB = -80.0
PESQ_RATE_HZ = 16_000
PESQ_MIN_SECONDS = 0.25
VISQOL_MIN_SECONDS = 1.0
_VISQOL_RATE_HZ = 48_000

# STOI works at 10 kHz on frames of 256 samples every 128, and compares 30 of them at a time.
# pystoi leaves out a frame that ends just where the signal does.
_STOI_RATE_HZ = 10_000
_STOI_MIN_SAMPLES = 256 + 30 * 128 + 1
_STOI_TOO_SHORT = 1e-5  # what pystoi returns, with a warning


def waveform_psnr(estimate: Signal, target: Signal, *, peak_to_peak: float = 2.0) -> float:
    """Peak signal-to-noise ratio of the waveform in dB: 10·log10(peak_to_peak² / mse).

    The convention of GINR-IPC (arXiv 2211.13223), which maps samples from [-1, 1] to [0, 1] and
    reports -10·log10(mse) there. The map halves every error, so on samples in [-1, 1] that is
    10·log10(4 / mse): the peak is the whole range of 2, and not the amplitude of 1, which would
    give 6.02 dB less. Quiet clips score high: silence as the answer to speech at -26 dB RMS has
    32 dB, so read it beside `si_snr`.

    Returns:
        Infinity for equal signals.

    Raises:
        ValueError: the lengths differ, there is no sample, or one is NaN or infinite.
    """
    estimate, target = _checked(estimate, target)
    mse = float(np.mean((estimate - target) ** 2))
    return _decibels(peak_to_peak**2, mse)


def snr(estimate: Signal, target: Signal) -> float:
    """Signal-to-noise ratio in dB: 10·log10(Σ target² / Σ (target - estimate)²).

    Returns:
        Infinity for equal signals, also silent ones; 0 for a silent estimate of a sound; minus
        infinity for anything but silence as the estimate of silence.

    Raises:
        ValueError: as for `waveform_psnr`.
    """
    estimate, target = _checked(estimate, target)
    return _decibels(float(np.sum(target**2)), float(np.sum((estimate - target) ** 2)))


def snr_db(
    estimate: Float[Tensor, "*b n"], target: Float[Tensor, "*b n"], *, floor: float = 0.0
) -> Float[Tensor, "*b"]:
    """`snr` of many signals at once, on any device.

    Args:
        floor: least mean square of signal and noise; 1e-10 is −100 dB of full scale.
    """
    signal = target.square().mean(-1).clamp_min(floor)
    noise = (estimate - target).square().mean(-1).clamp_min(floor)
    return 10 * torch.log10(signal / noise)


def si_snr(estimate: Signal, target: Signal) -> float | None:
    """Scale-invariant signal-to-noise ratio in dB (Luo & Mesgarani 2018, arXiv 1711.00541).

    With both means removed, s = (⟨e, t⟩ / ⟨t, t⟩) t is the part of the estimate e that is the
    target t at some gain, the rest is noise: 10·log10(|s|² / |e - s|²). A gain of any sign counts
    as right.

    Returns:
        Infinity where the estimate is the target at a gain (in floating point, hundreds of dB);
        minus infinity where it holds nothing of it, as silence does; None for a target that is
        silent or constant, which no gain makes comparable.

    Raises:
        ValueError: as for `waveform_psnr`.
    """
    estimate, target = _checked(estimate, target)
    if np.ptp(target) == 0:
        return None
    if np.ptp(estimate) == 0:  # told by this, since the mean of equal numbers may be rounded
        return -math.inf
    estimate, target = estimate - estimate.mean(), target - target.mean()
    # The gain does not count; at unit peak no square leaves the range of floats.
    estimate, target = estimate / np.abs(estimate).max(), target / np.abs(target).max()
    scaled = (estimate @ target) / (target @ target) * target
    return _decibels(float(scaled @ scaled), float(np.sum((estimate - scaled) ** 2)))


def log_spectral_distance(
    estimate: Signal,
    target: Signal,
    *,
    n_fft: int = 2048,
    hop: int = 512,
    floor_db: float = LSD_FLOOR_DB,
) -> float:
    """Log-spectral distance in dB: the mean over frames of the RMS over bins of the level error.

    Levels are 20·log10 of the magnitude under a Hann window, scaled so that a sine at full scale
    has 0 dB, and what is below the floor counts as the floor: what nobody hears does not decide.
    Papers on bandwidth extension leave out the factor 10 of 10·log10(power): divide by 10 to
    compare with them. Only values at one rate and one `n_fft` compare with each other.

    Args:
        estimate, target: any length; zeros fill the last frame.
        n_fft, hop: samples of a frame and from frame to frame.
        floor_db: level below which all is silence, in dB of full scale.

    Returns:
        0 for equal signals, and for two that stay below the floor.

    Raises:
        ValueError: as for `waveform_psnr`, or `n_fft` or `hop` are out of range.
    """
    estimate, target = _checked(estimate, target)
    if n_fft < 2 or not 0 < hop <= n_fft:
        raise ValueError(f"expected n_fft >= 2 and 0 < hop <= n_fft, got {n_fft} and {hop}")
    levels = (_levels_db(x, n_fft=n_fft, hop=hop, floor_db=floor_db) for x in (estimate, target))
    difference = next(levels) - next(levels)
    return float(np.sqrt(np.mean(difference**2, axis=1)).mean())


def stoi(estimate: Signal, target: Signal, *, rate_hz: int) -> float | None:
    """Short-time objective intelligibility (Taal et al. 2011), about 0 to 1, as pystoi does it.

    Returns:
        1 for equal signals, 0 for a silent estimate; None for a silent target.

    Raises:
        ValueError: as for `waveform_psnr`, or too little is left for it once frames 40 dB under
            the loudest are dropped.
    """
    import pystoi  # here: a machine that trains on pictures may lack it

    estimate, target = _checked(estimate, target)
    # Samples at 10 kHz, as pystoi's resampling rounds them.
    heard = -(-len(target) * _STOI_RATE_HZ // rate_hz)
    if heard < _STOI_MIN_SAMPLES:
        raise _too_short_for_stoi(len(target) / rate_hz)
    if not target.any():
        return None
    if not estimate.any():
        return 0.0
    value = float(pystoi.stoi(target, estimate, rate_hz))
    if value == _STOI_TOO_SHORT:
        raise _too_short_for_stoi(len(target) / rate_hz)
    return value


def pesq_wb(estimate: Signal, target: Signal, *, rate_hz: int) -> float | None:
    """Wide-band perceptual evaluation of speech quality (ITU-T P.862.2), 1.04 to 4.64.

    It needs the package `pesq`, which the app does without: it is built from source.

    Returns:
        None where either signal is silent, or holds no speech that PESQ can find.

    Raises:
        ValueError: as for `waveform_psnr`, the rate is not 16 kHz, or there is less than 0.25 s.
        ModuleNotFoundError: the package `pesq` is not installed.
    """
    estimate, target = _checked(estimate, target)
    if rate_hz != PESQ_RATE_HZ:
        raise ValueError(
            f"expected {PESQ_RATE_HZ} Hz for wide-band PESQ, got {rate_hz} Hz; resample both"
        )
    if len(target) < PESQ_MIN_SECONDS * rate_hz:
        raise ValueError(
            f"expected at least {PESQ_MIN_SECONDS} s for PESQ, got {len(target) / rate_hz:.3f} s"
        )
    if importlib.util.find_spec("pesq") is None:
        raise ModuleNotFoundError(
            "expected the package 'pesq' for PESQ, got none; run 'pip install pesq', which needs "
            "a C compiler, or leave this metric out"
        )
    if not target.any() or not estimate.any():
        return None
    pesq = importlib.import_module("pesq")
    try:
        return float(pesq.pesq(rate_hz, target, estimate, "wb"))
    except pesq.NoUtterancesError:
        return None


def visqol(estimate: Signal, target: Signal, *, rate_hz: int) -> float | None:
    """ViSQOL of any sound (Chinen et al., QoMEX 2020, its mode for audio), 1 to about 4.7.

    It needs the package `visqol-python`, which the app does without, and takes a third of the
    sound's time.

    Returns:
        None where either signal is silent, or less than a second: it compares patches as long.

    Raises:
        ValueError: as for `waveform_psnr`.
        ModuleNotFoundError: the package `visqol-python` is not installed.
    """
    estimate, target = _checked(estimate, target)
    if importlib.util.find_spec("visqol") is None:
        raise ModuleNotFoundError(
            "expected the package 'visqol-python' for ViSQOL, got none; run 'pip install "
            "visqol-python', or leave this metric out"
        )
    if len(target) < VISQOL_MIN_SECONDS * rate_hz or not target.any() or not estimate.any():
        return None
    judge = importlib.import_module("visqol").VisqolApi()
    judge.create(mode="audio")
    common = math.gcd(rate_hz, _VISQOL_RATE_HZ)
    up, down = _VISQOL_RATE_HZ // common, rate_hz // common
    target, estimate = (resample_poly(signal, up, down) for signal in (target, estimate))
    judged = judge.measure_from_arrays(target, estimate, sample_rate=_VISQOL_RATE_HZ)
    return float(judged.moslqo)


def _checked(estimate: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as float64."""
    if np.ndim(target) != 1 or np.shape(estimate) != np.shape(target):
        raise ValueError(
            "expected two mono signals of one length, got shapes "
            f"{list(np.shape(estimate))} and {list(np.shape(target))}; mix and cut them first"
        )
    if len(target) == 0:
        raise ValueError("expected at least one sample, got none")
    if not (np.isfinite(estimate).all() and np.isfinite(target).all()):
        raise ValueError("expected finite samples, got NaN or infinity")
    return np.asarray(estimate, np.float64), np.asarray(target, np.float64)


def _decibels(signal: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    # A quotient of subnormal numbers may be 0 or infinite although neither is.
    return -math.inf if signal == 0 else 10.0 * (math.log10(signal) - math.log10(noise))


def _levels_db(
    signal: np.ndarray, *, n_fft: int, hop: int, floor_db: float
) -> Float[np.ndarray, "frames bins"]:
    n_frames = 1 + max(0, math.ceil((len(signal) - n_fft) / hop))
    padded = np.pad(signal, (0, (n_frames - 1) * hop + n_fft - len(signal)))
    power = stft_power(torch.from_numpy(padded), n_fft=n_fft, hop=hop).numpy().T
    magnitude = np.sqrt(power) / (n_fft / 4)
    return 20 * np.log10(np.maximum(magnitude, 10 ** (floor_db / 20)))


def _too_short_for_stoi(seconds: float) -> ValueError:
    needed = _STOI_MIN_SAMPLES / _STOI_RATE_HZ
    return ValueError(
        f"expected at least {needed:.2f} s for STOI, not counting what is 40 dB under the loudest "
        f"part, got {seconds:.2f} s in all; choose a longer passage"
    )
