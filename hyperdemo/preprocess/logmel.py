"""The log-mel spectrogram that Whisper's encoder reads (Radford et al. 2022, arXiv 2212.04356).

It differs from Whisper's in one point: the floor lies 8 decades below the maximum of the window at
hand, which need not be 30 s long.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.metrics.stft import stft_power

RATE_HZ = 16_000
N_FFT = 400  # samples per frame: 25 ms, bins of 40 Hz
HOP = 160  # samples from frame to frame: 10 ms, so 100 frames a second
N_BINS = N_FFT // 2 + 1  # from 0 Hz to half the rate
MIN_SAMPLES = N_FFT // 2 + 1  # reflecting half a frame at an end takes one sample more than that
FLOOR = 1e-10  # power, so that silence has a logarithm
RANGE = 8.0  # decades of power kept below a window's maximum: 80 dB

# Slaney's mel scale: linear up to 1 kHz, logarithmic above it.
HZ_A_MEL = 200 / 3  # in the linear part
KNEE_HZ = 1000.0
KNEE_MEL = KNEE_HZ / HZ_A_MEL
LOG_A_MEL = math.log(6.4) / 27  # 27 mels from 1 kHz to 6.4 kHz


def mel_filterbank(n_mels: int = 80) -> Float[Tensor, "n_mels bins"]:
    """Triangular filters from 0 Hz to half the rate, evenly spaced on Slaney's mel scale.

    Each triangle over frequency in Hz has area 1 (Slaney's normalisation), so that a filter's
    output does not grow with its width.

    Args:
        n_mels: filters, at least 1; above about 85 some are narrower than a bin's 40 Hz.

    Returns:
        float64 weights of the 201 bins in each filter, in 1/Hz.
    """
    top_hz = RATE_HZ / 2
    top_mel = KNEE_MEL + math.log(top_hz / KNEE_HZ) / LOG_A_MEL
    mels = torch.linspace(0, top_mel, n_mels + 2, dtype=torch.float64)
    above = KNEE_HZ * torch.exp(LOG_A_MEL * (mels - KNEE_MEL))
    corners = torch.where(mels < KNEE_MEL, HZ_A_MEL * mels, above)
    left, middle, right = (c[:, None] for c in (corners[:-2], corners[1:-1], corners[2:]))
    hz = torch.linspace(0, top_hz, N_BINS, dtype=torch.float64)
    rising, falling = (hz - left) / (middle - left), (right - hz) / (right - middle)
    return torch.minimum(rising, falling).clamp_min(0) * 2 / (right - left)


def log_mel(wave: Float[Tensor, "b n"], *, n_mels: int = 80) -> Float[Tensor, "b n_mels t"]:
    """Whisper's input: (max(log10 of the mel power, window's maximum − 8) + 4) / 4.

    Frames are centred on samples 0, 160, 320 …, over a waveform reflected at its ends; the last is
    dropped, as by Whisper: t = n // 160.

    Args:
        wave: mono at 16 kHz, in [-1, 1], finite, n ≥ 201.
        n_mels: mel bands.

    Returns:
        In float32, or float64 for a float64 waveform, even under autocast: the powers span ten
        decades. At most about 2; a window's values span at most 2.

    Raises:
        ValueError: the waveform is shorter than half a frame and a sample.
    """
    if wave.shape[-1] < MIN_SAMPLES:
        raise ValueError(
            f"a waveform of at least {MIN_SAMPLES} samples expected "
            f"({1000 * MIN_SAMPLES / RATE_HZ:.1f} ms at 16 kHz), got {wave.shape[-1]}; "
            "pad it with silence"
        )
    dtype = torch.promote_types(wave.dtype, torch.float32)
    with torch.autocast(wave.device.type, enabled=False):
        wave = wave.to(dtype)
        around = torch.nn.functional.pad(wave, (N_FFT // 2, N_FFT // 2), mode="reflect")
        power = stft_power(around, n_fft=N_FFT, hop=HOP)[..., :-1]
        log = (mel_filterbank(n_mels).to(power.device, dtype) @ power).clamp_min(FLOOR).log10()
        floor = log.amax(dim=(1, 2), keepdim=True) - RANGE
        return (torch.maximum(log, floor) + 4) / 4
