import math

import numpy as np
import pytest
import torch

from train.sound.objective import FFT_SIZES, spectral_loss, waveform_loss


def noise(*shape, seed=0, gain=0.1):
    return gain * torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def spectrogram_by_hand(wave, size):
    """Frame by frame with a matrix of cosines and sines."""
    k, n = np.arange(size // 2 + 1)[:, None], np.arange(size)[None]
    turn = np.exp(-2j * np.pi * k * n / size)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n[0] / size)
    starts = range(0, len(wave) - size + 1, size // 4)
    return np.array([np.abs(turn @ (window * wave[s : s + size])) for s in starts]).T


def test_the_spectral_loss_by_hand():
    estimate, target = noise(2, 1500), noise(2, 1500, seed=1, gain=0.2)
    expected = []
    for size in FFT_SIZES:
        convergence, logs = [], []
        for one, other in zip(estimate.double().numpy(), target.double().numpy(), strict=True):
            x, y = spectrogram_by_hand(one, size), spectrogram_by_hand(other, size)
            convergence.append(np.sqrt(((y - x) ** 2).sum()) / np.sqrt((y**2).sum()))
            logs.append(np.abs(np.log(y) - np.log(x)).mean())
        expected.append(np.mean(convergence) + np.mean(logs))
    assert spectral_loss(estimate, target).item() == pytest.approx(np.mean(expected), rel=1e-3)


def test_half_as_loud_in_closed_form():
    target = noise(3, 4096)
    expected = 0.5 + math.log(2)
    assert spectral_loss(0.5 * target, target).item() == pytest.approx(expected, rel=2e-3)
    assert spectral_loss(target, target).item() == 0
    assert waveform_loss(0.5 * target, target).item() == pytest.approx(0.25)
    each = torch.tensor([[1.0], [0.1], [100.0]])
    assert waveform_loss(0.5 * target * each, target * each).item() == pytest.approx(0.25, rel=1e-2)
    soft = 1e-5 * target  # below -50 dB an error counts as it would there
    error = 0.25 * soft.square().mean(1) / 10 ** (-50 / 10)
    assert waveform_loss(0.5 * soft, soft).item() == pytest.approx(error.mean().item(), rel=1e-3)


def test_phase_is_the_waveforms_alone():
    time = torch.arange(4096) / 16000
    target = torch.sin(2 * math.pi * 1000 * time)[None]
    shifted = torch.cos(2 * math.pi * 1000 * time)[None]
    assert spectral_loss(shifted, target) < 0.2
    assert waveform_loss(shifted, target) > 1.8


def test_silence_gives_numbers_and_gradients():
    estimate = torch.zeros(2, 2048, requires_grad=True)
    loss = spectral_loss(estimate, noise(2, 2048)) + spectral_loss(
        noise(2, 2048), torch.zeros(2, 2048)
    )
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(estimate.grad).all()
    quiet = noise(1, 2048, seed=2, gain=1e-3).requires_grad_()
    spectral_loss(quiet, noise(1, 2048)).backward()
    assert quiet.grad.abs().max() > 0


def test_too_short_for_the_longest_transform():
    with pytest.raises(ValueError, match="at least 1024 samples expected, got 1000"):
        spectral_loss(noise(1, 1000), noise(1, 1000))
