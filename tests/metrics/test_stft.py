import numpy as np
import pytest
import scipy.signal
import torch

from hyperdemo.metrics.stft import stft_power


def test_it_is_scipys(generator):
    wave = torch.randn(2, 3, 1000, generator=generator, dtype=torch.float64)
    found = stft_power(wave, n_fft=64, hop=24)
    window = scipy.signal.get_window("hann", 64)
    *_, expected = scipy.signal.stft(
        wave, window=window, nperseg=64, noverlap=40, boundary=None, padded=False, scaling="psd"
    )
    expected = np.abs(expected * np.sqrt((window**2).sum())) ** 2
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_a_sine_at_full_scale_has_its_peak_at_a_quarter_of_the_frame():
    wave = torch.sin(2 * torch.pi * 8 * torch.arange(256, dtype=torch.float64) / 64)
    assert stft_power(wave, n_fft=64, hop=64).sqrt().amax(0).tolist() == pytest.approx([16.0] * 4)


def test_a_signal_shorter_than_a_frame_is_refused():
    with pytest.raises(ValueError, match="at least 64 samples for a frame, got 63"):
        stft_power(torch.zeros(63), n_fft=64, hop=16)
