"""The log-mel spectrogram against one written out from its definition in NumPy."""

import math

import numpy as np
import pytest
import torch

from hyperdemo.preprocess.logmel import MIN_SAMPLES, log_mel, mel_filterbank


def filters_by_hand(n_mels):
    """Each triangle by interpolation between its corners on Slaney's scale, over its area."""
    mels = (15 + 27 * math.log(8) / math.log(6.4)) * np.arange(n_mels + 2) / (n_mels + 1)
    corners = [m * 200 / 3 if m < 15 else 1000 * 6.4 ** ((m - 15) / 27) for m in mels]
    hz = 40.0 * np.arange(201)
    return np.stack([
        np.interp(hz, corners[k : k + 3], [0, 1, 0]) / ((corners[k + 2] - corners[k]) / 2)
        for k in range(n_mels)
    ])  # fmt: skip


def log_mel_by_hand(wave, n_mels=80):
    """One window; the Fourier transform as a sum over samples."""
    n = np.arange(400)
    hann = np.sin(np.pi * n / 400) ** 2
    waves = np.exp(-2j * np.pi * np.outer(np.arange(201), n) / 400)
    padded = np.concatenate([wave[200:0:-1], wave, wave[-2:-202:-1]])
    columns = []
    for frame in range(len(wave) // 160):
        part = padded[160 * frame : 160 * frame + 400]
        columns.append(filters_by_hand(n_mels) @ np.abs(waves @ (hann * part)) ** 2)
    log = np.log10(np.maximum(np.stack(columns, axis=1), 1e-10))
    return np.maximum(log, log.max() - 8) / 4 + 1


def sounds(batch, samples, *, dtype=torch.float64):
    """Noise that swells, with a tone, so that bands and frames all differ."""
    generator = torch.Generator().manual_seed(2)
    time = torch.arange(samples) / 16_000
    noise = torch.randn(batch, samples, generator=generator) * (0.01 + time)
    return (noise + 0.3 * torch.sin(2 * math.pi * 700 * time)).mul(0.2).to(dtype)


@pytest.mark.parametrize("n_mels", [1, 20, 80])
def test_the_filters_are_triangles_of_area_one(n_mels):
    filters = mel_filterbank(n_mels)
    assert filters.shape == (n_mels, 201)
    np.testing.assert_allclose(filters, filters_by_hand(n_mels), atol=1e-12)
    assert (filters.amax(dim=1) > 0).all()  # none falls between two bins


@pytest.mark.parametrize("samples", [MIN_SAMPLES, 4000, 4079, 16_000])
def test_the_spectrogram_is_that_of_the_definition(samples):
    wave = sounds(2, samples)
    found = log_mel(wave)
    assert found.dtype == torch.float64
    for one, spectrogram in zip(wave, found, strict=True):
        np.testing.assert_allclose(spectrogram, log_mel_by_hand(one.numpy()), atol=1e-9)
    assert found.shape == (2, 80, samples // 160)  # a second makes 100 frames
    again = log_mel(wave.float())
    assert again.dtype == torch.float32
    np.testing.assert_allclose(again, found, atol=1e-3)


def test_silence_is_flat_and_the_floor_is_each_window_s_own():
    quiet, loud = sounds(1, 4000), 100 * sounds(1, 4000)
    assert (log_mel(torch.zeros(1, 4000)) == (-10 + 4) / 4).all()
    both = log_mel(torch.cat([quiet, loud]))
    torch.testing.assert_close(both, torch.cat([log_mel(quiet), log_mel(loud)]))
    wide = torch.zeros(1, 16_000).index_fill(1, torch.tensor([8000]), 100.0)
    assert log_mel(wide).max() - log_mel(wide).min() == pytest.approx(2.0)


def test_autocast_costs_no_precision():
    wave = sounds(1, 4000, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = log_mel(wave)
    torch.testing.assert_close(inside, log_mel(wave), rtol=0, atol=0)


def test_what_is_too_short_is_refused():
    with pytest.raises(ValueError, match=r"at least 201 samples expected \(12.6 ms.*got 200.*pad"):
        log_mel(torch.zeros(1, 200))
