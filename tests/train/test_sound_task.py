import dataclasses
import math

import pytest
import torch

from hyperdemo.inr import sound
from tests import tiny
from train.config import SoundData, TrainConfig
from train.run import train
from train.sound_data import SoundSet, draw_windows
from train.sound_objective import spectral_loss
from train.sound_task import SoundTask, stretch_samples, stretch_seconds

CPU = torch.device("cpu")


def tones(*pitches, seconds=1.0):
    """One recording a pitch."""
    n = int(16_000 * seconds)
    time = torch.arange(n) / 16_000
    waves = [(6000 * torch.sin(2 * math.pi * p * time)).short() for p in pitches]
    starts = torch.arange(len(pitches)) * n
    lengths = torch.full((len(pitches),), n)
    names = tuple(f"{p} Hz" for p in pitches)
    return SoundSet(names, torch.cat(waves), starts, lengths, ("",) * len(pitches))


def config_of(*, field=tiny.SOUND, **changes):
    small = dict(
        model=tiny.sound_config(init="scratch", field=field), data=SoundData(stretches=2),
        steps=4, warmup=2, batch=2, lr=1e-3, lr_backbone=1e-3, eval_every=2,
    )  # fmt: skip
    return TrainConfig(**small | changes)


def task_of(config, sounds):
    return SoundTask(config, sounds, sounds, device=CPU)


def test_stretches_overlap_and_fill_the_window():
    places = stretch_samples(tiny.sound_config())
    assert places.shape == (4, 1200) and places[0, 0] == 0 and places[-1, -1] == 3599
    assert (places[1:, 0] - places[:-1, -1]).tolist() == [-399] * 3
    seconds = stretch_seconds(tiny.SOUND)
    assert seconds.sum().abs() < 1e-6
    assert seconds[0].item() == pytest.approx(-599.5 / 16_000)


def test_the_loss_by_hand():
    sounds = tones(300, 500)
    config = config_of(data=SoundData(stretches=4, spectral_weight=0.3, gain_db=0.0, flip=0.0))
    model = tiny.sound_model()
    loss, shown = task_of(config, sounds).loss(model, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    windows = draw_windows(sounds, count=2, window=3600, generator=generator)
    params = model.encode(windows)
    squares, ratios, estimates, targets = [], [], [], []
    for w in range(2):
        for k in range(4):
            target = windows[w, 800 * k : 800 * k + 1200]
            seconds = (torch.arange(1200) - 599.5) / 16_000
            estimate = sound(tiny.SOUND, params[4 * w + k], seconds[None])[0]
            squares.append((estimate - target).square().mean() / 0.1**2)
            error = (estimate - target).square().sum()
            ratios.append(10 * torch.log10(target.square().sum() / error))
            estimates.append(estimate)
            targets.append(target)
    spectral = spectral_loss(torch.stack(estimates), torch.stack(targets))
    expected = torch.stack(squares).mean() + 0.3 * spectral
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(shown["snr"], torch.stack(ratios).mean(), rtol=1e-4, atol=1e-4)


def test_only_some_stretches_are_listened_to(monkeypatch):
    task = task_of(config_of(), tones(300))
    listened = []
    real = task._listen
    monkeypatch.setattr(
        task, "_listen", lambda params, **k: listened.append(real(params, **k)) or listened[-1]
    )
    task.loss(tiny.sound_model(), generator=torch.Generator().manual_seed(2))
    assert listened[0].shape == (4, 1200)  # two of four, of two windows


def test_a_tiny_model_learns_two_tones(tmp_path):
    """Of any phase, so that the waveform must come from what was heard."""
    field = dataclasses.replace(tiny.SOUND, min_freq_hz=50.0, max_freq_hz=800.0)
    backbone = dataclasses.replace(tiny.WHISPER, inputs="raw")
    config = config_of(
        model=tiny.sound_config(init="scratch", field=field, backbone=backbone),
        steps=120, batch=16, lr=3e-3, lr_heads=1e-1, warmup=10, eval_every=120, ema=0.9,
        data=SoundData(stretches=4, spectral_weight=0.0, gain_db=0.0),
    )  # fmt: skip
    task = task_of(config, tones(200, 330))
    start = task.score(tiny.sound_model())
    state = train(config, task, out=tmp_path, device=CPU)
    end = task.score(state.average)
    assert set(end) == {"val_snr", "val_spectral"}
    assert end["val_snr"] > start["val_snr"] + 3 and end["val_snr"] > 3


def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path):
    task = task_of(config_of(), tones(200, 330))
    straight = train(config_of(), task, out=tmp_path / "a", device=CPU)
    train(config_of(), task, out=tmp_path / "b", device=CPU, stop_at=1)
    resumed = train(config_of(), task, out=tmp_path / "b", device=CPU)
    torch.testing.assert_close(
        dict(resumed.average.state_dict()), dict(straight.average.state_dict()), rtol=0, atol=0
    )


def test_stretches_too_short_for_the_score_are_refused_before_the_first_step():
    field = dataclasses.replace(tiny.SOUND, stretch=900, overlap=0)
    config = config_of(model=tiny.sound_config(init="scratch", field=field))
    with pytest.raises(ValueError, match="at least 1024 samples expected, .*got .*stretch=900"):
        task_of(config, tones(200))


def test_a_step_on_a_gpu(gpu, tmp_path):
    task = SoundTask(config_of(), tones(200), tones(200), device=gpu)
    state = train(config_of(steps=2), task, out=tmp_path, device=gpu)
    assert state.step == 2
