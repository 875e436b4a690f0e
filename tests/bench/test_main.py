import json
import re

import numpy as np
import pytest
from PIL import Image

import bench.__main__ as module
from bench.__main__ import PARTS, Plan, bench, parse_arguments, runs_of
from bench.field import Load
from bench.timing import bar, row
from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.config import ViewRequest
from tests import tiny

FACTS = {"date", "git", "hardware", "threads", "torch", "repeats", "weights", "devices"}


def quick_part(met=True):
    found = row([1.0, 3.0, 2.0], "s")
    return {"rows": {"wait": found}, "bars": [bar("wait", found, below=2.5 if met else 1.5)]}


@pytest.fixture
def quick(monkeypatch):
    """Parts that take no time; the bar of the last one is missed."""
    parts = {name: lambda name=name: quick_part(name != "sound") for name in PARTS}
    monkeypatch.setattr(module, "runs_of", lambda plan, device: parts)
    return parts


def run_main(monkeypatch, *argv):
    monkeypatch.setattr("sys.argv", ["bench", *argv])
    module.main()


def test_all_parts_are_printed_and_saved(quick, tmp_path, monkeypatch, capsys):
    path = tmp_path / "new" / "bench.json"
    run_main(monkeypatch, "--json", str(path), "--device", "cpu", "--repeats", "4")
    found = json.loads(path.read_text())
    assert set(found) == FACTS and found["repeats"] == 4 and found["threads"] >= 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", found["date"])
    assert "cores" in found["hardware"]
    assert set(found["devices"]) == {"cpu"} and found["devices"]["cpu"]["hardware"]
    parts = found["devices"]["cpu"]["parts"]
    assert list(parts) == list(PARTS) and parts["view"] == quick_part()
    printed = capsys.readouterr().out
    assert all(f"\n{name}, " in printed for name in PARTS)
    assert printed.count("wait < 2.50 s: 2.00 s, met") == 5
    assert printed.count("wait < 1.50 s: 2.00 s, missed") == 1 and str(path) in printed


def test_some_parts_alone(quick, tmp_path, monkeypatch):
    path = tmp_path / "b.json"
    argv = ("--json", str(path), "--device", "cpu", "--parts", "orbits", "view")
    run_main(monkeypatch, *argv)
    assert list(json.loads(path.read_text())["devices"]["cpu"]["parts"]) == ["orbits", "view"]


@pytest.mark.parametrize(("there_is", "expected"), [(False, ["cpu"]), (True, ["cpu", "cuda"])])
def test_a_gpu_is_measured_where_there_is_one(there_is, expected, tmp_path, quick, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: there_is)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "a GPU")
    path = tmp_path / "b.json"
    run_main(monkeypatch, "--json", str(path))
    assert list(json.loads(path.read_text())["devices"]) == expected


@pytest.mark.parametrize("error", [ValueError("no checkpoint"), RuntimeError("no answer")])
def test_a_failure_is_said_in_one_line_and_loses_nothing(error, quick, tmp_path, monkeypatch):
    def fail():
        raise error

    quick["field"] = fail
    path = tmp_path / "b.json"
    with pytest.raises(SystemExit, match=f"bench: {error}"):
        run_main(monkeypatch, "--json", str(path), "--device", "cpu")
    assert list(json.loads(path.read_text())["devices"]["cpu"]["parts"]) == ["app", "view"]


def test_missing_weights_are_said_in_one_line(tmp_path, monkeypatch):
    argv = ["--json", str(tmp_path / "b.json"), "--weights", str(tmp_path), "--device", "cpu"]
    with pytest.raises(SystemExit, match="bench: there is no checkpoint"):
        run_main(monkeypatch, *argv, "--parts", "view")


@pytest.mark.parametrize("argv", [["--repeats", "0"], ["--threads", "0"], ["--parts", "none"]])
def test_bad_options_are_refused(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        parse_arguments(argv)
    assert caught.value.code == 2 and argv[0] in capsys.readouterr().err


def test_pictures_must_be_there(tmp_path):
    with pytest.raises(ValueError, match="input.webp"):
        _ = Plan(examples=tmp_path).pictures
    assert len(Plan().pictures) >= 1


def test_outside_git_there_is_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert module.git_hash() is None


def test_threads_are_cores_too(monkeypatch):
    asked = {}
    monkeypatch.setattr("torch.set_num_threads", lambda n: asked.update(torch=n))
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {3, 1, 2}, raising=False)
    monkeypatch.setattr(
        "os.sched_setaffinity", lambda pid, cores: asked.update(cores=cores), raising=False
    )
    module.use_threads(2)
    assert asked == {"torch": 2, "cores": [1, 2]}


def test_every_part_but_the_app_on_tiny_models(tmp_path, capsys):
    for seed, init in enumerate(("foundation", "scratch")):
        save_checkpoint(tiny.model(seed, init=init), tmp_path, name=f"view-{init}", facts={})
        sound = tiny.sound_model(seed, init=init)
        save_checkpoint(sound, tmp_path, name=f"sound-{init}", facts={})
    picture = np.zeros((60, 80, 4), np.uint8)
    picture[20:40, 20:60] = (200, 90, 40, 255)
    (tmp_path / "objects" / "box").mkdir(parents=True)
    Image.fromarray(picture).save(tmp_path / "objects" / "box" / "input.webp", lossless=True)
    plan = Plan(
        tmp_path, 1, examples=tmp_path, sizes=(16,), clip_s=(0.1,),
        orbit=ViewRequest(size=32, n_frames=4, fps=4, chunk_frames=2),
        load=Load(n_points=200, resolution=16, gemms=((8, 8, 8),), flop=1e4),
    )  # fmt: skip
    assert set(runs_of(plan, "cpu")) == set(PARTS)
    path = tmp_path / "b.json"
    bench(plan, parts=PARTS[1:], devices=["cpu"], path=path)
    parts = json.loads(path.read_text())["devices"]["cpu"]["parts"]
    assert list(parts) == list(PARTS[1:])
    for part in parts.values():
        assert part["rows"] and all(row["low"] > 0 for row in part["rows"].values())
        assert all(isinstance(bar["met"], bool) for bar in part["bars"])
    factors = parts["sound"]["rows"]
    assert factors["0.1 s: foundation encode"]["unit"] == "×"
    assert factors["0.1 s: first sound"]["unit"] == "s"
    assert "16 px: exact / fast" in capsys.readouterr().out
