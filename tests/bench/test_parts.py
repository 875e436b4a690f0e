"""Every part but the app, measured once on tiny models; what was measured together must agree."""

import json
import os
import re
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.__main__ import PARTS, Plan, bench, main, parse_arguments, use_threads
from bench.field import ClockedField, Load, bench_field, flop_per_point, points_in_sphere
from bench.sound import REQUEST, bench_sounds, encoder_windows, speech_like
from bench.sound import main as sound_main
from bench.timing import timed
from bench.view import orbit_seconds
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import FieldConfig, ViewRequest
from hyperdemo.inr import as_field
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.render.bake import bake
from hyperdemo.ui.object.stream import Chunk, Result, Status
from tests import tiny

CPU = torch.device("cpu")
# Layers 27→16, 16→16 and 16→4, so 2·(432 + 256 + 64).
FLOP, FLOP_AT_NODES = 1504, 640


@pytest.fixture(scope="module")
def done(folder):
    """What is saved, by part."""
    plan = Plan(
        folder, 1, examples=folder, sizes=(16,), clip_s=(0.1,),
        orbit=ViewRequest(size=32, n_frames=4, fps=4, chunk_frames=2),
        load=Load(n_points=200, resolution=16, gemms=((8, 8, 8),), flop=1e4),
    )  # fmt: skip
    path = folder / "new" / "bench.json"
    bench(plan, parts=PARTS[1:], devices=["cpu"], path=path)
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def values(done):
    """Values of a row of a part."""
    parts = done["devices"]["cpu"]["parts"]
    return lambda part, name: np.array(parts[part]["rows"][name]["values"])


def test_what_is_saved(done):
    facts = {"date", "git", "hardware", "threads", "torch", "repeats", "weights", "devices"}
    assert set(done) == facts and done["repeats"] == 1 and done["threads"] >= 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", done["date"])
    assert "cores" in done["hardware"] and done["devices"]["cpu"]["hardware"]
    parts = done["devices"]["cpu"]["parts"]
    assert list(parts) == list(PARTS[1:])
    for part in parts.values():
        for row in part["rows"].values():
            assert len(row["values"]) == 1 and 0 < row["low"] <= row["median"] <= row["high"]
    assert {bar["name"] for part in parts.values() for bar in part["bars"]} == {
        "encode + bake, foundation", "encode + bake, scratch", "field's share of peak",
        "first frame begun to last chunk",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["foundation", "scratch"])
def test_a_field_is_encoded_and_baked(values, name):
    encode, both = values("view", f"encode, {name}"), values("view", f"encode + bake, {name}")
    assert np.allclose(encode + values("view", f"bake, {name}"), both)


def test_frames_are_compared_with_and_without_the_bake(values):
    exact, fast = values("frames", "16 px: exact"), values("frames", "16 px: fast")
    assert np.allclose(values("frames", "16 px: exact / fast"), exact / fast)
    shared = exact / values("frames", "16 px: exact / (fast + its share of the bake)")
    assert np.all(shared > fast)


def test_an_orbit_s_time_without_what_comes_before_it(done, values):
    film = values("orbits", "first frame begun to last chunk")
    assert np.all(film < values("orbits", "picture given to last chunk"))
    part = done["devices"]["cpu"]["parts"]["orbits"]
    assert part["bars"][0]["below"] == 1 and "4 frames of 32 px" in part["notes"][0]


def test_a_field_s_share_of_the_peak_of_the_same_round():
    load = Load(n_points=200, resolution=16, gemms=((8, 8, 8), (16, 8, 4)), flop=1e5)
    found = bench_field(tiny.FIELD, tiny.params(), repeats=3, device=CPU, load=load)
    assert found["flop_per_point"] == FLOP
    assert "1,504 FLOP per point, 640 of them at nodes" in found["notes"][0]
    values = {name: np.array(row["values"]) for name, row in found["rows"].items()}
    products = ["torch.mm 8×8×8", "torch.mm 16×8×4"]
    assert found["peak"] == max(products, key=lambda name: found["rows"][name]["median"])
    peak = values[found["peak"]]  # GFLOP/s; points are millions
    for name, flop in (("random points", FLOP), ("nodes of a grid", FLOP_AT_NODES)):
        share = 100 * values[f"field, {name}"] * flop / 1e3 / peak
        assert np.allclose(values[f"field, {name}: share of peak"], share) and len(share) == 3


def test_sound_has_factors_and_seconds():
    models = {n: LoadedModel(n, tiny.sound_model(k), {}) for k, n in enumerate("ab")}
    pipeline = SoundPipeline(models, device=CPU)
    found = partial(bench_sounds, pipeline, {"x": speech_like(0.1)}, repeats=2)
    whole_s, part = timed(found, device=CPU)
    stages = [f"{name} {stage}" for name in models for stage in ("encode", "decode", "both")]
    assert list(part["rows"]) == [f"x: {name}" for name in (*stages, "together", "first sound")]
    *factors, first = part["rows"].values()
    assert {row["unit"] for row in factors} == {"×"} and first["unit"] == "s"
    # All that was measured took less than all that was done.
    spent = sum(0.1 / factor for row in factors for factor in row["values"])
    assert 0 < spent + sum(first["values"]) < whole_s


def test_a_failure_is_said_in_one_line_and_loses_nothing(folder, tmp_path, capsys):
    for path in folder.glob("view-*"):
        shutil.copy(path, tmp_path)
    path = tmp_path / "b.json"
    argv = ["--json", str(path), "--device", "cpu", "--repeats", "1", "--weights", str(tmp_path)]
    with pytest.raises(SystemExit, match="bench: there is no checkpoint"):
        main([*argv, "--parts", "view", "sound"])
    assert list(json.loads(path.read_text())["devices"]["cpu"]["parts"]) == ["view"]
    printed = capsys.readouterr().out
    assert "\nview, " in printed and "bar: encode + bake, scratch < 1.00 s: " in printed


def test_threads_are_cores_too():
    threads, cores = torch.get_num_threads(), os.sched_getaffinity(0)
    try:
        use_threads(1)
        assert torch.get_num_threads() == 1 and os.sched_getaffinity(0) == {min(cores)}
    finally:
        torch.set_num_threads(threads)
        os.sched_setaffinity(0, cores)


@pytest.mark.parametrize("argv", [["--repeats", "0"], ["--threads", "0"], ["--parts", "none"]])
def test_bad_options_are_refused(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_arguments(argv)
    assert caught.value.code == 2 and argv[0] in capsys.readouterr().err


def test_pictures_must_be_there(tmp_path):
    with pytest.raises(ValueError, match="input.webp"):
        _ = Plan(examples=tmp_path).pictures
    assert len(Plan().pictures) >= 1


def made_up(message):
    return [
        (0.5, Status(0.0, "A: writing the network's weights")),
        (1.0, Status(0.1, message)),
        (3.0, Chunk(Path("a.ts"))),
        (3.0, Status(0.3, "frame 2 of 4")),
        (6.5, Chunk(Path("b.ts"))),
        (8.0, Result(Path("c.mp4"), {}, {}, {}, {"a.bake": 9.0, "b.bake": 0.75}, "CPU")),
    ]


@pytest.mark.parametrize(
    ("message", "expected"), [("B: evaluating the field", 4.75), ("rendering", 5.5)]
)
def test_an_orbit_s_seconds_from_known_times(message, expected):
    assert orbit_seconds(made_up(message), last_model="b") == {
        "picture given to first chunk": 3.0,
        "picture given to last chunk": 6.5,
        "first frame begun to last chunk": expected,
    }


def test_operations_counted_by_hand():
    assert flop_per_point(tiny.FIELD) == FLOP
    assert flop_per_point(tiny.FIELD, first_layer=1) == FLOP_AT_NODES
    # 63→128, three of 128→128 and 128→4.
    assert flop_per_point(FieldConfig()) == 2 * (8064 + 3 * 16_384 + 512) == 115_456


def test_points_fill_the_ball_evenly():
    points = points_in_sphere(20_000, device=CPU)
    radii = points.norm(dim=1)
    assert radii.max() <= 1.0 + 1e-6 and points.mean(0).abs().max() < 0.02
    assert (radii < 0.5).float().mean() == pytest.approx(1 / 8, abs=0.01)


@pytest.mark.parametrize("knows_nodes", [True, False])
def test_a_clocked_field_counts_points_and_answers_as_the_field_does(knows_nodes):
    ball = tiny.Ball(density=3.0, radius=0.5)
    field = as_field(tiny.FIELD, tiny.params()) if knows_nodes else ball
    clocked = ClockedField(field, CPU)
    assert hasattr(clocked, "at_nodes") == knows_nodes
    points = points_in_sphere(50, device=CPU)
    for found, expected in zip(clocked(points), field(points), strict=True):
        assert torch.equal(found, expected)
    assert clocked.n_points == 50 and clocked.seconds > 0
    bake(clocked, resolution=16, device=CPU)
    assert 50 < clocked.n_points <= 50 + 2 * 16**3


def test_the_noise_is_as_long_as_asked_and_swells_like_speech():
    clip = speech_like(2.0)
    assert clip.duration_s == 2.0 and clip.heard.dtype == np.float32
    assert np.sqrt(np.mean(clip.heard**2)) == pytest.approx(0.05, rel=1e-3)
    level = np.abs(clip.heard).reshape(-1, 400).mean(1)
    assert np.argmax(np.abs(np.fft.rfft(level - level.mean()))) == 8  # swells in two seconds


def test_the_encoder_s_windows_are_those_of_the_pipeline():
    clip, heard = speech_like(0.5), []
    loaded = LoadedModel("sound-x", tiny.sound_model(), {})
    write, loaded.model.write = loaded.model.write, lambda w: heard.append(w) or write(w)
    list(SoundPipeline({"x": loaded}, device=CPU).listen(clip, REQUEST))
    assert torch.equal(torch.cat(heard), encoder_windows(loaded, clip))


def test_sound_alone(folder, capsys):
    out = folder / "sound.json"
    argv = ["--weights", str(folder), "--repeats", "1", "--device", "cpu", "--models", "scratch"]
    sound_main([*argv, "--clip", str(folder / "sounds" / "noise.wav"), "--json", str(out)])
    found = json.loads(out.read_text())
    assert found["repeats"] == 1 and found["git"] and "noise.wav: together" in found["rows"]
    printed = capsys.readouterr().out
    assert "noise.wav: scratch both" in printed and "foundation" not in printed
    with pytest.raises(SystemExit, match="bench.sound: there is no checkpoint"):
        sound_main(["--weights", str(folder / "none")])
