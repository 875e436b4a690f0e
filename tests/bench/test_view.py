import math
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import view as module
from bench.timing import table
from bench.view import bench_frames, bench_orbits, bench_writing, orbit_seconds
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import ViewRequest
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.ui.object.stream import Chunk, Result, Status
from tests import tiny
from tests.bench.clock import FakeClock

SHARED = "exact / (fast + its share of the bake)"


@pytest.fixture(scope="module")
def pipeline():
    models = {
        name: LoadedModel(f"view-{name}", tiny.model(seed).requires_grad_(False), {})
        for seed, name in enumerate(("foundation", "scratch"))
    }
    return ViewPipeline(models, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def prepared(pipeline):
    rgba = np.zeros((60, 80, 4), np.uint8)
    rgba[20:40, 20:60] = (200, 90, 40, 255)
    return pipeline.prepare(rgba)


@pytest.fixture
def clock(monkeypatch):
    return FakeClock(monkeypatch)


def test_writing_a_field_from_known_times(pipeline, prepared, clock, monkeypatch):
    encode = pipeline.encode

    def slow_encode(framed, loaded):
        clock.now += 0.25 if loaded.name == "view-foundation" else 0.5
        return encode(framed, loaded)

    monkeypatch.setattr(pipeline, "encode", slow_encode)
    monkeypatch.setattr(module, "bake", clock.takes(0.5))
    found = bench_writing(pipeline, prepared, repeats=2)
    medians = {name: row["median"] for name, row in found["rows"].items()}
    assert medians == {
        "encode, foundation": 0.25, "bake, foundation": 0.5, "encode + bake, foundation": 0.75,
        "encode, scratch": 0.5, "bake, scratch": 0.5, "encode + bake, scratch": 1.0,
    }  # fmt: skip
    assert [bar["met"] for bar in found["bars"]] == [True, False]
    assert "bar: encode + bake, scratch < 1.00 s: 1.00 s, missed" in table("view", found)


def fake_renderers(monkeypatch, clock, *, bake_s, fast_s, exact_s):
    monkeypatch.setattr(module, "bake", clock.takes(bake_s))
    monkeypatch.setattr(module, "march", clock.takes(fast_s))
    monkeypatch.setattr(module, "render_view", clock.takes(exact_s))


def test_ratios_from_known_times(pipeline, prepared, clock, monkeypatch):
    fake_renderers(monkeypatch, clock, bake_s=9.6, fast_s=0.1, exact_s=4.0)
    found = bench_frames(pipeline, prepared, repeats=2, sizes=(128, 256), n_frames=96)
    for size in (128, 256):
        medians = {
            name: found["rows"][f"{size} px: {name}"]["median"]
            for name in ("exact", "fast", "exact / fast", SHARED)
        }
        expected = {"exact": 4000, "fast": 100, "exact / fast": 40, SHARED: 20}
        assert medians == pytest.approx(expected)
    (bar,) = found["bars"]
    assert bar["value"] == pytest.approx(20) and bar["at_least"] == 40 and not bar["met"]
    assert f"bar: 256 px: {SHARED} ≥ 40.0 ×: 20.0 ×, missed" in table("frames", found)


@pytest.mark.parametrize(("exact_s", "expected"), [(1.0, 5), (9.0, 3), (60.0, 1)])
def test_slow_frames_are_repeated_less(exact_s, expected, pipeline, prepared, clock, monkeypatch):
    fake_renderers(monkeypatch, clock, bake_s=1.0, fast_s=0.1, exact_s=exact_s)
    found = bench_frames(pipeline, prepared, repeats=5, sizes=(64,))
    assert len(found["rows"]["64 px: exact"]["values"]) == expected and found["bars"] == []


def test_both_renderers_take_as_many_samples(pipeline, prepared, monkeypatch):
    asked = []

    def note(name, steps):
        return lambda *_, **options: asked.append((name, options[steps], options["size"]))

    monkeypatch.setattr(module, "bake", lambda field, *, resolution, device: None)
    monkeypatch.setattr(module, "march", note("fast", "n_steps"))
    monkeypatch.setattr(module, "render_view", note("exact", "n_samples"))
    bench_frames(pipeline, prepared, repeats=1, sizes=(48,))
    in_round = [("fast", module.GRID, 48)] * 4
    expected = [*in_round, ("exact", module.GRID, 48), *in_round]
    assert asked[-9:] == expected  # the exact frame stands in the middle
    assert {samples for _, samples, _ in asked} == {module.GRID}


def test_real_frames(pipeline, prepared):
    found = bench_frames(pipeline, prepared, repeats=2, sizes=(16, 20))
    assert len(found["rows"]) == 8
    for row in found["rows"].values():
        assert len(row["values"]) == 2 and 0 < row["low"] and math.isfinite(row["high"])


def made_up(message):
    return [
        (0.5, Status(0.0, "A: writing the network's weights")),
        (1.0, Status(0.1, message)),
        (3.0, Chunk(Path("a.ts"))),
        (3.0, Status(0.3, "frame 2 of 4")),
        (6.5, Chunk(Path("b.ts"))),
        (7.0, Status(0.98, "joining the video")),
        (8.0, Result(Path("c.mp4"), {}, {}, {}, {"a.bake": 9.0, "b.bake": 0.75})),
    ]


@pytest.mark.parametrize(
    ("message", "expected"), [("B: evaluating the field", 4.75), ("rendering", 5.5)]
)
def test_the_film_s_time_without_the_bake(message, expected):
    found = orbit_seconds(made_up(message), last_model="b")
    assert found == {
        "picture given to first chunk": 3.0,
        "picture given to last chunk": 6.5,
        "first frame begun to last chunk": expected,
    }


def test_a_real_film_is_bounded_by_the_whole_run(pipeline, prepared):
    request = ViewRequest(size=32, n_frames=4, fps=2, chunk_frames=2)
    found = bench_orbits(pipeline, prepared, repeats=2, request=request)
    film = found["rows"]["first frame begun to last chunk"]["values"]
    whole = found["rows"]["picture given to last chunk"]["values"]
    assert len(film) == 2 and all(0 < a < b for a, b in zip(film, whole, strict=True))
    assert found["bars"][0]["below"] == 2 and "4 frames of 32 px" in found["notes"][0]
