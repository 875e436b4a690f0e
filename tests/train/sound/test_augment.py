"""Each change of a window against what it should do to a tone."""

import numpy as np
import pytest
import soxr
import torch

from train.sound.augment import MAX_SPEED, augmented, equalised, mixed, resampled

RATE = 16_000


def tone(hz: float, samples: int = RATE) -> torch.Tensor:
    return 0.5 * torch.sin(2 * torch.pi * hz * torch.arange(samples) / RATE)


def peak_hz(wave: torch.Tensor) -> float:
    return float(torch.fft.rfft(wave).abs().argmax()) * RATE / len(wave)


@pytest.mark.parametrize("samples", [12_000, 20_000])
def test_a_wave_is_resampled_as_a_library_does(samples: int) -> None:
    wave = tone(440.0, samples) + tone(1000.0, samples)
    ours = resampled(wave, RATE).numpy()
    theirs = soxr.resample(wave.numpy(), samples, RATE, quality="VHQ")
    middle = slice(2000, 14_000)
    np.testing.assert_allclose(ours[middle], theirs[middle], atol=2e-3)


def test_the_equaliser_gives_each_frequency_its_gain() -> None:
    gains = torch.tensor([[0.0, 0.0, 6.0, -6.0, 0.0]])
    place = torch.tensor([2.0, 2.5, 3.0]) / 4
    for hz, gain_db in zip((place.square() * RATE / 2).tolist(), (6.0, 0.0, -6.0), strict=True):
        wave = tone(round(hz))
        change = equalised(wave[None], gains).norm() / wave.norm()
        assert 20 * float(change.log10()) == pytest.approx(gain_db, abs=0.05)


def test_sounds_are_mixed_at_a_ratio_of_their_energies() -> None:
    waves, others = torch.stack([tone(300.0), tone(500.0)]), torch.stack([tone(900.0)] * 2) / 7
    added = mixed(waves, others, torch.tensor([[10.0], [20.0]])) - waves
    ratio = waves.square().sum(1) / added.square().sum(1)
    torch.testing.assert_close(10 * ratio.log10(), torch.tensor([10.0, 20.0]))


def test_a_share_of_the_windows_is_changed_and_repeats() -> None:
    window = 4000
    waves = torch.stack([tone(800.0, round(window * MAX_SPEED))] * 200)
    plain = augmented(waves, window=window, share=0.0, generator=torch.Generator())
    assert torch.equal(plain, waves[:, :window])
    one, two = (
        augmented(waves, window=window, share=0.3, generator=torch.Generator().manual_seed(5))
        for _ in range(2)
    )
    assert torch.equal(one, two) and one.abs().max() <= 1
    same = (one == plain).all(1).float().mean()
    assert float(same) == pytest.approx(0.7**4, abs=0.1)
    pitches = [peak_hz(wave) for wave in one]
    assert 800 / MAX_SPEED * 0.98 < min(pitches) < 700 < 950 < max(pitches) < 820 * MAX_SPEED
