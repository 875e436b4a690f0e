"""The log-mel spectrogram against one written out from its definition in NumPy."""

import math

import numpy as np
import pytest
import torch

from hyperdemo.preprocess.logmel import HOP, MIN_SAMPLES, N_FFT, log_mel, mel_filterbank


def hz_of_mel(mel):
    """Slaney's scale, one number at a time."""
    if mel < 15:
        return mel * 200 / 3
    return 1000 * 6.4 ** ((mel - 15) / 27)


def filters_by_hand(n_mels):
    """Each triangle by interpolation between its corners, over its area."""
    top = 15 + 27 * math.log(8) / math.log(6.4)
    corners = [hz_of_mel(top * k / (n_mels + 1)) for k in range(n_mels + 2)]
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
    if n_mels == 20:
        # The sum over bins of 40 Hz nears the integral where a triangle is many bins wide.
        np.testing.assert_allclose(40 * filters[10:].sum(1), 1, atol=0.02)


@pytest.mark.parametrize("samples", [MIN_SAMPLES, 4000, 4079, 16_000])
def test_the_spectrogram_is_that_of_the_definition(samples):
    wave = sounds(2, samples)
    found = log_mel(wave)
    assert found.dtype == torch.float64
    for index in range(2):
        by_hand = log_mel_by_hand(wave[index].numpy())
        np.testing.assert_allclose(found[index], by_hand, atol=1e-9)
    np.testing.assert_allclose(log_mel(wave.float()), found, atol=1e-3)


def test_a_second_makes_a_hundred_frames_of_eighty_bands():
    found = log_mel(torch.rand(3, 16_000) - 0.5)
    assert found.shape == (3, 80, 100) and found.dtype == torch.float32
    assert log_mel(torch.rand(1, 4000), n_mels=40).shape == (1, 40, 25)


@pytest.mark.parametrize("hz", [240.0, 1000.0, 3120.0, 7000.0])
def test_a_sine_is_loudest_in_the_band_that_it_falls_into(hz):
    time = torch.arange(16_000, dtype=torch.float64) / 16_000
    wave = 0.5 * torch.sin(2 * math.pi * hz * time)[None]
    weights = filters_by_hand(80)[:, round(hz / 40)]  # hz is the middle of a bin
    middle = log_mel(wave)[0, :, 10:-10]
    # The windowed sine has half its amplitude times the window's sum in its own bin, half of
    # that in the two beside it, and nothing elsewhere.
    power = (0.5 / 2 * N_FFT / 2) ** 2
    around = filters_by_hand(80)[:, [round(hz / 40) - 1, round(hz / 40) + 1]].sum(1) / 4
    expected = np.log10(power * (weights + around)[weights > 0]) / 4 + 1
    # Overlapping bands both contain the tone; the closed form says how loudly.
    for band, value in zip(np.flatnonzero(weights > 0), expected, strict=True):
        np.testing.assert_allclose(middle[band], value, atol=1e-6)
    assert set(middle.argmax(0).tolist()) == {int((weights + around).argmax())}


def test_a_click_shows_in_the_frames_that_reach_it():
    wave = torch.zeros(1, 16_000)
    wave[0, 8000] = 1.0  # the middle of frame 50; 200 samples on either side reach frames 49 to 51
    loud = (log_mel(wave)[0] > log_mel(wave).min()).any(0)
    assert torch.arange(100)[loud].tolist() == [49, 50, 51] and HOP * 50 == 8000


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
    with pytest.raises(ValueError, match="n_mels must be at least 1, got 0"):
        log_mel(torch.zeros(1, 400), n_mels=0)
