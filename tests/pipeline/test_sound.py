import numpy as np
import pytest
import torch

from hyperdemo.config import SoundRequest
from hyperdemo.events import Done, Heard, Progress, Written
from hyperdemo.inr import sound, synthesise
from hyperdemo.media.audio import Clip
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.preprocess.sound import prepare_sound
from tests import tiny
from tests.pipeline.conftest import CPU, NAMES, pair

RATES = (8_000, 16_000, 22_050, 48_000)


@pytest.fixture(scope="module")
def pipeline():
    return SoundPipeline(pair(tiny.sound_model), device=CPU)


def clip(seconds=1.0, rate_hz=16_000, channels=1, level=0.1):
    generator = np.random.default_rng(1)
    samples = level * generator.standard_normal((channels, round(seconds * rate_hz)))
    return Clip(samples.clip(-1, 1).astype(np.float32), rate_hz, False, channels)


def heard(events, name):
    return np.concatenate([event.samples[name] for event in events if isinstance(event, Heard)])


@pytest.fixture(scope="module")
def events(pipeline):
    return list(pipeline.listen(prepare_sound(clip()), SoundRequest()))


def test_the_course_of_events(events):
    kinds = [type(event) for event in events]
    assert kinds[0] is Progress and kinds[-1] is Done
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    parts = [event for event in events if isinstance(event, Heard)]
    # Five windows of 3280 samples, 3200 apart: one, then four.
    assert [part.start for part in parts] == [0, 3200]
    assert [list(part.samples) for part in parts] == [NAMES] * 2
    assert [event.name for event in events if isinstance(event, Written)] == NAMES
    stages = {f"{name}.{stage}" for name in NAMES for stage in ("encode", "decode")}
    assert set(events[-1].seconds) == stages


def test_what_is_heard_is_what_the_networks_of_each_window_hold(events, pipeline):
    """Window by window and stretch by stretch, joined sample by sample in NumPy."""
    prepared = prepare_sound(clip())
    for name in NAMES:
        model = pipeline.models[name].model
        total = np.zeros(17_000)
        for w in range(5):
            cut = np.zeros(3280, np.float32)
            part = prepared.heard[3200 * w : 3200 * w + 3280]
            cut[: len(part)] = part
            params = model.encode(torch.from_numpy(cut)[None])
            for k in range(8):
                times = (torch.arange(480) - 240) / 16_000
                wave = sound(tiny.SOUND, params[k], times[None])[0].detach().numpy()
                fade = np.ones(480)
                rising = 0.5 - 0.5 * np.cos(np.pi * np.arange(80) / 80)
                if (w, k) != (0, 0):
                    fade[:80] = rising
                if (w, k) != (4, 7):
                    fade[400:] = 1 - rising
                start = 400 * (8 * w + k)
                total[start : start + 480] += (fade * wave)[: len(total) - start]
        found = heard(events, name)
        assert found.shape == (16_000,) and found.dtype == np.float32
        np.testing.assert_allclose(found, total[:16_000], atol=1e-4 * np.abs(found).max())


@pytest.mark.parametrize("rate_hz", RATES)
def test_any_rate_shows_the_same_sound(events, pipeline, rate_hz):
    written = next(e.sound for e in events if isinstance(e, Written) and e.name == "scratch")
    again = synthesise(written, rate_hz=rate_hz).numpy()
    assert len(again) == written.n_samples_at(rate_hz) == rate_hz  # of one second
    streamed = list(pipeline.listen(prepare_sound(clip()), SoundRequest(rate_hz)))
    scale = np.abs(again).max()
    np.testing.assert_allclose(heard(streamed, "scratch"), again, atol=1e-5 * scale)
    at_16k = heard(events, "scratch")
    if rate_hz in (8_000, 48_000):  # samples that stand at the same moments
        step, other = (2, 1) if rate_hz == 8_000 else (1, 3)
        np.testing.assert_allclose(again[::other], at_16k[::step], atol=1e-3 * scale)


@pytest.mark.parametrize(("rate_hz", "seconds"), [(44_100, 0.7), (8_000, 0.123), (22_050, 1.31)])
def test_a_clip_comes_back_at_its_own_rate_and_length(pipeline, rate_hz, seconds):
    prepared = prepare_sound(clip(seconds, rate_hz, channels=2))
    assert prepared.rate_hz == rate_hz and prepared.duration_s == pytest.approx(seconds, abs=1e-3)
    streamed = list(pipeline.listen(prepared, SoundRequest(), names=["scratch"]))
    assert all(list(e.samples) == ["scratch"] for e in streamed if isinstance(e, Heard))
    samples = heard(streamed, "scratch")
    assert len(samples) == len(prepared.own) and np.isfinite(samples).all()


def test_closing_early_stops_the_work(pipeline, monkeypatch):
    counted = []
    write = SoundPipeline.write
    monkeypatch.setattr(
        SoundPipeline, "write", lambda self, *a: counted.append(1) or write(self, *a)
    )
    events = pipeline.listen(prepare_sound(clip(5.0)), SoundRequest())
    next(event for event in events if isinstance(event, Heard))
    events.close()
    assert len(counted) == 2  # the first window, by two models


ONE = clip().samples


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (clip(1 / 16_000), r"at least 0.05 s of sound, got 0.0001 s \(1 samples\)"),
        (clip(level=0.0), "got silence; choose another clip, or check the microphone"),
        (clip(level=1e-6), "got silence"),
        (Clip(np.concatenate([ONE, -ONE]), 16_000, False, 2), "channels that cancel each other"),
    ],
)
def test_clips_without_sound_are_refused(made, message):
    with pytest.raises(ValueError, match=message):
        prepare_sound(made)
