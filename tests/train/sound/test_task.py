import dataclasses
import math

import pytest
import torch

import train.sound.task as module
from hyperdemo.inr import sound, sound_of_stretches, stretch_plan
from tests import tiny
from train.config import SoundData, TrainConfig
from train.loop import train
from train.sound.data import SoundSet, draw_windows
from train.sound.objective import spectral_loss
from train.sound.task import SoundTask

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
        model=tiny.sound_config(init="scratch", field=field), data=SoundData(stretches=3),
        steps=4, warmup=2, batch=2, lr=1e-3, lr_backbone=1e-3, eval_every=2,
    )  # fmt: skip
    return TrainConfig(**small | changes)


def task_of(config, sounds):
    return SoundTask(config, sounds, sounds, device=CPU)


def test_the_loss_by_hand():
    sounds = tones(300, 500)
    weights = {"spectral_weight": 0.3, "emphasised_weight": 0.7}
    config = config_of(data=SoundData(stretches=8, flip=0.0, **weights))
    model = tiny.sound_model()
    loss, shown = task_of(config, sounds).loss(model, generator=torch.Generator().manual_seed(1))
    generator = torch.Generator().manual_seed(1)
    windows = draw_windows(sounds, count=2, window=3280, generator=generator)
    params = model.encode(windows)
    seconds = ((torch.arange(480) - 240) / 16_000)[None]
    estimates = []
    for w in range(2):
        waves = [sound(tiny.SOUND, params[8 * w + k], seconds)[0] for k in range(8)]
        estimates.append(stretch_plan(tiny.SOUND, 8).join(torch.stack(waves), rate_hz=16_000))
    squares, ratios, raised = [], [], []
    for estimate, target in zip(estimates, windows, strict=True):
        error, energy = (estimate - target).square().sum(), target.square().sum()
        squares.append(error / energy)
        ratios.append(10 * torch.log10(energy / error))
        # Pre-emphasis of 0.95, of all samples but the first.
        error, energy = (
            (x[1:] - 0.95 * x[:-1]).square().sum() / (1 - 0.95**2) + x[0] ** 2
            for x in (estimate - target, target)
        )
        raised.append(error / energy)
    spectral = spectral_loss(torch.stack(estimates), windows)
    expected = torch.stack(squares).mean() + 0.3 * spectral + 0.7 * torch.stack(raised).mean()
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=0)
    torch.testing.assert_close(shown["snr"], torch.stack(ratios).mean(), rtol=1e-4, atol=1e-4)


def test_only_some_stretches_are_listened_to(monkeypatch):
    """Consecutive ones, compared with the part of the window that they are."""
    task = task_of(config_of(data=SoundData(stretches=3, flip=0.0)), tones(300))
    compared = []
    monkeypatch.setattr(
        module, "waveform_loss", lambda e, t, **_: compared.append((e, t)) or (e - t).sum()
    )
    model = tiny.sound_model()
    task.loss(model, generator=torch.Generator().manual_seed(2))
    [(estimate, target)] = compared
    assert estimate.shape == target.shape == (2, 1280)
    windows = draw_windows(
        tones(300), count=2, window=3280, generator=torch.Generator().manual_seed(2)
    )
    places = windows.unfold(1, 1280, 400)
    [first] = [k for k in range(6) if torch.equal(places[:, k], target)]
    whole = sound_of_stretches(tiny.SOUND, model.encode(windows), n_stretches=8)
    inside = slice(400 * first + 80, 400 * first + 1200)  # the ends are not faded there
    torch.testing.assert_close(estimate[:, 80:1200], whole[:, inside], atol=1e-6, rtol=1e-4)


def test_a_tiny_model_learns_two_tones(tmp_path):
    """Of any phase, so that the waveform must come from what was heard."""
    field = dataclasses.replace(tiny.SOUND, min_freq_hz=50.0, max_freq_hz=800.0)
    backbone = dataclasses.replace(tiny.WHISPER, inputs="raw")
    config = config_of(
        model=tiny.sound_config(init="scratch", field=field, backbone=backbone),
        steps=120, batch=16, lr=3e-3, lr_heads=1e-1, warmup=10, eval_every=120, ema=0.9,
        data=SoundData(stretches=8, spectral_weight=0.0),
    )  # fmt: skip
    task = task_of(config, tones(200, 330))
    start = task.score(tiny.sound_model())
    state = train(config, task, out=tmp_path, device=CPU)
    end = task.score(state.average)
    assert set(end) == {"val_snr", "val_spectral", "val_stoi"}
    assert end["val_snr"] > start["val_snr"] + 3 and end["val_snr"] > 3


def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path):
    task = task_of(config_of(), tones(200, 330))
    straight = train(config_of(), task, out=tmp_path / "a", device=CPU)
    train(config_of(), task, out=tmp_path / "b", device=CPU, stop_at=1)
    resumed = train(config_of(), task, out=tmp_path / "b", device=CPU)
    torch.testing.assert_close(
        dict(resumed.average.state_dict()), dict(straight.average.state_dict()), rtol=0, atol=0
    )


def test_too_few_stretches_for_the_loss_are_refused_before_the_first_step():
    with pytest.raises(ValueError, match="at least 1024 samples .*got 880 with .*stretches=2"):
        task_of(config_of(data=SoundData(stretches=2)), tones(200))


def test_a_step_on_a_gpu(gpu, tmp_path):
    task = SoundTask(config_of(), tones(200), tones(200), device=gpu)
    state = train(config_of(steps=2), task, out=tmp_path, device=gpu)
    assert state.step == 2
