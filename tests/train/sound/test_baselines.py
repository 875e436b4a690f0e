import numpy as np
import pytest
import torch

from hyperdemo.config import SoundFieldConfig
from hyperdemo.inr import sound, sound_of_stretches
from hyperdemo.preprocess.logmel import log_mel
from tests import tiny
from train.sound.baselines import NearestWindow, fit_sound, silence, spectral_shapes
from train.sound.data import SoundSet

RATE_HZ = 16_000


def noises(count, *, seconds=1.0):
    """One recording of noise a seed, each with bands of its own."""
    sounds = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        n = round(seconds * RATE_HZ)
        bands = np.repeat(rng.random(40), n // 80 + 1)[: n // 2 + 1]
        wave = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * bands, n)
        sounds.append(np.rint(3000 * wave / wave.std()).astype(np.int16))
    lengths = torch.tensor([len(s) for s in sounds])
    samples = torch.from_numpy(np.concatenate(sounds))
    ids = tuple(f"noise {k}" for k in range(count))
    return SoundSet(ids, samples, lengths.cumsum(0) - lengths, lengths, ("",) * count)


def snr_db(estimate, target):
    return float(10 * torch.log10(target.square().sum() / (estimate - target).square().sum()))


def test_silence_is_as_long_as_the_sound():
    heard = np.ones(7, np.float32)
    assert silence(heard).tolist() == [0.0] * 7 and heard.all()


def test_shapes_are_correlations_of_spectrograms_whatever_the_loudness(generator):
    windows = 0.1 * torch.randn(5, 3280, generator=generator)
    windows[1] = 0.03 * windows[0]
    shapes = spectral_shapes(windows, batch=2)
    mel = log_mel(windows).flatten(1).numpy()
    np.testing.assert_allclose(shapes @ shapes.T, np.corrcoef(mel), atol=1e-5)
    assert shapes[0] @ shapes[1] == pytest.approx(1, abs=1e-4)
    assert not spectral_shapes(torch.zeros(1, 3280)).any()


def test_a_window_of_the_training_set_finds_itself():
    sounds = noises(6)
    nearest = NearestWindow(sounds, window=3280, overlap=80)
    assert nearest.windows.shape == (6 * 5, 3280)
    assert nearest.find(nearest.windows) == list(range(30))
    heard = 0.25 * nearest.windows[7].numpy()
    np.testing.assert_allclose(nearest.answer(heard), heard, atol=1e-5)


def test_a_long_sound_is_joined_of_matches_as_loud_as_it():
    nearest = NearestWindow(noises(4), window=3280, overlap=80)
    heard = noises(6).sound(5).numpy()[:11_111]
    answer = nearest.answer(heard)
    assert answer.shape == heard.shape and answer.dtype == np.float32
    asked = torch.from_numpy(heard)[3200 : 3200 + 3280]
    found = nearest.windows[nearest.find(asked[None])[0]]
    expected = found * asked.square().mean().sqrt() / found.square().mean().sqrt()
    np.testing.assert_allclose(answer[3280:6400], expected[80:-80], atol=1e-5)
    assert not nearest.answer(np.zeros(5000, np.float32)).any()


def test_of_many_windows_every_so_manyth_is_compared():
    sounds = noises(6)
    some = NearestWindow(sounds, window=3280, overlap=80, limit=11)
    every = NearestWindow(sounds, window=3280, overlap=80)
    assert torch.equal(some.windows, every.windows[::3])


def test_a_tone_that_the_field_can_show_is_fitted_well_and_as_loud_as_it_is():
    config = SoundFieldConfig(width=16, n_freqs=12, max_freq_hz=400.0)
    time = torch.arange(8 * 400 + 80) / RATE_HZ
    tone = torch.sin(2 * torch.pi * 200 * time) * torch.linspace(0.3, 0.003, len(time))
    stretches = tone.unfold(0, 480, 400)
    params = fit_sound(config, stretches, steps=80, lr=2e-2, batch=5)
    assert len(params) == 8 and not params.weights[0].requires_grad
    seconds = (torch.arange(480) - 240) / RATE_HZ
    fitted = sound(config, params, seconds[None])
    for one, truth in zip(fitted, stretches, strict=True):
        assert snr_db(one, truth) > 25
    assert snr_db(sound_of_stretches(config, params, n_stretches=8)[0], tone) > 25


def test_more_steps_fit_better_and_parts_are_fitted_as_if_alone():
    target = noises(1).sound(0)[: 3 * 480].view(3, 480)
    seconds = (torch.arange(480) - 240) / RATE_HZ
    short, long = (
        snr_db(sound(tiny.SOUND, fit_sound(tiny.SOUND, target, steps=s), seconds[None]), target)
        for s in (5, 80)
    )
    assert long > short + 1
    same = fit_sound(tiny.SOUND, target, steps=5, seed=3)
    again = fit_sound(tiny.SOUND, target, steps=5, seed=3)
    other = fit_sound(tiny.SOUND, target, steps=5, seed=4)
    assert torch.equal(same.weights[0], again.weights[0])
    assert not torch.equal(same.weights[0], other.weights[0])
    alone = fit_sound(tiny.SOUND, target[:1], steps=5, seed=3, batch=1)
    first = fit_sound(tiny.SOUND, target, steps=5, seed=3, batch=1)
    for a, b in zip(alone.weights, first.weights, strict=True):
        torch.testing.assert_close(a[0], b[0])


def test_silence_is_fitted_as_silence():
    params = fit_sound(tiny.SOUND, torch.zeros(2, 480), steps=40)
    seconds = (torch.arange(480) - 240) / RATE_HZ
    assert sound(tiny.SOUND, params, seconds[None]).abs().max() < 1e-3


def test_stretches_of_another_length_are_refused():
    with pytest.raises(ValueError, match="stretches of 480 samples expected, got 400"):
        fit_sound(tiny.SOUND, torch.zeros(2, 400))
