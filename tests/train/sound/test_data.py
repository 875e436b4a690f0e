"""Windows of sound: where they come from, and what is done to them. A recording's samples count
up, so that every sample tells which recording it is of and where it stood."""

import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from train.sound.data import SoundSet, draw_windows, every_window, load_speech

LENGTHS = (3000, 400, 90)
FIRSTS = (1, 10_001, 20_001)  # no sample is 0, which is padding


def sounds_of(*parts: np.ndarray) -> SoundSet:
    lengths = torch.tensor([len(part) for part in parts])
    names = tuple("abc"[: len(parts)])
    samples = torch.from_numpy(np.concatenate(parts).astype(np.int16))
    return SoundSet(names, samples, lengths.cumsum(0) - lengths, lengths, ("",) * len(parts))


@pytest.fixture
def ramps() -> SoundSet:
    return sounds_of(*(np.arange(f, f + n) for f, n in zip(FIRSTS, LENGTHS, strict=True)))


def as_int(windows: torch.Tensor) -> torch.Tensor:
    assert windows.dtype == torch.float32
    values = windows.double() * 32768
    assert torch.equal(values, values.round())
    return values.long()


def recording_of(value: int) -> int:
    return sum(value >= first for first in FIRSTS) - 1


def test_windows_are_runs_of_one_recording_with_zeros_around_short_ones(ramps, generator) -> None:
    windows = as_int(draw_windows(ramps, count=600, window=200, generator=generator, min_rms=0))
    assert windows.shape == (600, 200)
    befores = set()
    for window in windows:
        (inside,) = window.nonzero(as_tuple=True)
        run = window[inside[0] : inside[-1] + 1]
        assert torch.equal(run, torch.arange(run[0], run[0] + len(run)))
        index = recording_of(int(run[0]))
        assert FIRSTS[index] <= run[0] and run[-1] < FIRSTS[index] + LENGTHS[index]
        assert len(run) == min(200, LENGTHS[index])
        if index == 2:
            befores.add(int(inside[0]))
    # Each place is 1 of 111; of some fifteen draws, not all are in one half.
    assert len(befores) > 5 and min(befores) < 55 < max(befores) <= 110


def test_first_and_last_places_are_drawn_and_lengths_weigh(ramps, generator) -> None:
    pair = sounds_of(np.full(6, 100, np.int16), np.arange(1, 3, dtype=np.int16))
    windows = as_int(draw_windows(pair, count=4000, window=3, generator=generator, min_rms=0))
    assert (windows[:, 0] == 100).float().mean() == pytest.approx(6 / 8, abs=0.03)
    rows = {tuple(row) for row in windows.tolist()}
    assert rows == {(100, 100, 100), (1, 2, 0), (0, 1, 2)}
    tail = sounds_of(np.arange(1, 6, dtype=np.int16))
    windows = as_int(draw_windows(tail, count=3000, window=3, generator=generator, min_rms=0))
    starts, counts = windows[:, 0].unique(return_counts=True)
    assert starts.tolist() == [1, 2, 3] and counts.min() > 880  # 1000 ± 26 each


def test_the_generator_decides_everything(ramps) -> None:
    def drawn(seed: int) -> torch.Tensor:
        torch.manual_seed(time.perf_counter_ns() % 2**31)
        made = torch.Generator().manual_seed(seed)
        return draw_windows(ramps, count=9, window=50, generator=made, flip=0.5)

    assert torch.equal(drawn(1), drawn(1)) and not torch.equal(drawn(1), drawn(2))


def test_quiet_windows_are_drawn_again_but_not_for_ever(generator) -> None:
    half = sounds_of(np.zeros(1000, np.int16), np.full(1000, 3277, np.int16))
    wanted = dict(count=300, window=100, generator=generator)
    loud = (draw_windows(half, **wanted, min_rms=0.05) > 0).any(1).float().mean()
    assert loud > 0.98  # a half is quiet at first, then one in 256
    loud = (draw_windows(half, **wanted, min_rms=0) > 0).any(1).float().mean()
    assert loud == pytest.approx(0.5, abs=0.1)
    silent = sounds_of(np.zeros(1000, np.int16))
    assert not draw_windows(silent, **wanted).any()


def test_a_share_is_flipped(ramps, generator) -> None:
    wanted = dict(count=1000, window=20, generator=generator, min_rms=0)
    for flip in (0.0, 0.25, 1.0):
        windows = draw_windows(ramps, **wanted, flip=flip)
        negative = (windows.sum(1) < 0).float().mean().item()
        assert negative == pytest.approx(flip, abs=0.05)
        assert ((windows >= 0).all(1) | (windows <= 0).all(1)).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"count": 0}, "count and window of at least 1.*count=0, window=5"),
        ({"window": 0}, "count and window of at least 1"),
        ({"min_rms": -0.1}, "min_rms of at least 0.*min_rms=-0.1"),
        ({"flip": 1.5}, "flip from 0 to 1, got .*flip=1.5"),
    ],
)
def test_numbers_out_of_range_are_refused(ramps, generator, change, message) -> None:
    with pytest.raises(ValueError, match=message):
        draw_windows(ramps, **{"count": 1, "window": 5, **change}, generator=generator)


def test_every_window_shows_every_sample_once(ramps) -> None:
    windows = as_int(every_window(ramps, window=150))
    assert windows.shape == (20 + 3 + 1, 150)
    where = torch.tensor([0] * 20 + [1] * 3 + [2])
    for index, (first, n) in enumerate(zip(FIRSTS, LENGTHS, strict=True)):
        own = windows[where == index].flatten()
        assert torch.equal(own[:n], torch.arange(first, first + n)) and not own[n:].any()
    with pytest.raises(ValueError, match="at least one sample, got window=0"):
        every_window(ramps, window=0)


def test_a_set_knows_its_sounds(ramps) -> None:
    assert len(ramps) == 3 and ramps.rate_hz == 16_000
    assert ramps.seconds == pytest.approx(sum(LENGTHS) / 16_000)
    assert torch.equal(ramps.to("cpu").sound(2) * 32768, torch.arange(20_001, 20_091).float())


def test_packed_speech_is_read_in_the_order_asked(tmp_path: Path) -> None:
    for language, first in (("en", 1), ("it", 1001)):
        np.save(tmp_path / f"{language}.npy", np.arange(first, first + 90, dtype=np.int16))
        prompts = [
            {"id": f"{language}/{name}", "start": start, "length": n, "text": name}
            for name, start, n in (("hello", 0, 50), ("digits/1", 50, 40))
        ]
        (tmp_path / f"{language}.json").write_text(json.dumps({"prompts": prompts}))
    sounds = load_speech(tmp_path, ["it/digits/1", "en/hello"])
    assert sounds.ids == ("it/digits/1", "en/hello") and sounds.texts == ("digits/1", "hello")
    assert sounds.samples.tolist() == [*range(1051, 1091), *range(1, 51)]
    with pytest.raises(ValueError, match=r"en/x, en/y \(2 of 3 prompts are missing\); run"):
        load_speech(tmp_path, ["en/hello", "en/x", "en/y"])
    with pytest.raises(ValueError, match="no speech of 'ru'.*run python -m train.sources.speech"):
        load_speech(tmp_path, ["ru/hello"])
    with pytest.raises(ValueError, match="got no sound"):
        load_speech(tmp_path, [])
