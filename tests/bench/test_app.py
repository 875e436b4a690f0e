import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from bench import app as module
from bench.app import answer_seconds, bench_app, has_film, has_sound, serve
from hyperdemo.checkpoints import save_checkpoint
from tests import tiny
from tests.bench.clock import FakeClock

ROOT = Path(__file__).resolve().parents[2]
ROWS = {
    "imports", "start-up after the imports", "peak memory when it is up",
    "peak memory after a picture and a sound",
    *(f"picture{again}: {when}" for again in ("", " again")
      for when in ("first chunk", "last update")),
    *(f"sound{again}: {when}" for again in ("", " again")
      for when in ("first piece", "last update")),
}  # fmt: skip


class FakeJob:
    def __init__(self, updates, error):
        self.updates, self.error = updates, error

    def __iter__(self):
        return iter(self.updates)

    def result(self):
        if self.error:
            raise self.error


class FakeClient:
    def __init__(self, updates, error=None):
        self.updates, self.error = updates, error

    def submit(self, **given):
        self.given = given
        return FakeJob(self.updates, self.error)


def test_answers_from_known_times(monkeypatch):
    clock = FakeClock(monkeypatch)

    def updates():
        for value in ("begun", "one.m3u8", "two.m3u8", "done"):
            clock.now += 1.5
            yield ({}, value)

    client = FakeClient(updates())
    found = answer_seconds(client, {"clip": 1}, api_name="/generate", playable=has_film)
    assert found == (3.0, 6.0) and client.given == {"clip": 1, "api_name": "/generate"}


def test_an_answer_that_fails_is_no_answer():
    with pytest.raises(RuntimeError, match="/generate gave nothing"):
        answer_seconds(FakeClient([("x",)]), {}, api_name="/generate", playable=has_film)
    broken = FakeClient([("a.m3u8",)], ValueError("expected a picture"))
    with pytest.raises(ValueError, match="expected a picture"):
        answer_seconds(broken, {}, api_name="/generate", playable=has_film)


def test_what_can_be_played():
    assert has_film(({"visible": True, "value": None}, "/tmp/playlist.m3u8"))
    assert not has_film(({"visible": True, "value": None}, "<div>0 %</div>", None))

    def player(*pieces):
        return "words", {"run": "1", "tracks": [{"key": k, "pieces": p} for k, p in pieces]}

    piece = [{"start": 0, "file": "a.wav"}]
    assert has_sound(player(("original", piece), ("foundation", piece), ("scratch", piece)))
    assert not has_sound(player(("original", piece), ("foundation", piece), ("scratch", [])))
    assert not has_sound(({"__type__": "update"}, "words"))


def test_each_round_has_a_process_and_files_of_its_own(monkeypatch):
    begun, shown = [], []

    @contextmanager
    def fake_serve(weights, *, device, threads):
        begun.append((weights, device, threads))
        yield None

    def fake_round(app, picture, sound):
        shown.append((picture, sound))
        return dict.fromkeys(ROWS, float(len(shown)))

    monkeypatch.setattr(module, "serve", fake_serve)
    monkeypatch.setattr(module, "one_round", fake_round)
    found = bench_app(Path("w"), pictures=["a", "b"], sounds=["c"], repeats=3, threads=2)
    assert begun == [(Path("w"), "cpu", 2)] * 3
    assert shown == [("a", "c"), ("b", "c"), ("a", "c")]
    row = found["rows"]["start-up after the imports"]
    assert row == {"unit": "s", "median": 2, "low": 1, "high": 3, "values": [1, 2, 3]}
    assert found["rows"]["peak memory when it is up"]["unit"] == "GB"
    assert {bar["name"]: (bar["below"], bar["met"]) for bar in found["bars"]} == {
        "start-up after the imports": (10, True),
        "peak memory after a picture and a sound": (2, False),
        "picture: first chunk": (2.5, True),
        "sound: first piece": (2.5, True),
    }


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc on this system")
def test_a_process_s_peak_is_its_own_and_not_its_parent_s():
    hog = "x = bytearray(200 * 10**6); "
    probe = "from bench.served import peak_bytes; print(peak_bytes())"
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {probe!r}])"

    def peak(code):
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
        return int(done.stdout)

    assert 10**6 < peak(hog + inner) < 100 * 10**6
    assert 200 * 10**6 < peak(hog + probe) < 300 * 10**6


def test_an_app_that_ends_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.raises(RuntimeError, match="the app ended"), serve(tmp_path, device="cpu"):
        pass


@pytest.mark.slow
def test_the_app_itself(tmp_path, ffmpeg):
    for seed, init in enumerate(("foundation", "scratch")):
        model = tiny.model(seed, init=init)
        with torch.no_grad():
            model.heads.biases[-1][0] = -4.0  # thin air is quick to march through
        save_checkpoint(model, tmp_path, name=f"view-{init}", facts={})
        sound = tiny.sound_model(seed, init=init)
        save_checkpoint(sound, tmp_path, name=f"sound-{init}", facts={})
    picture, clip = tmp_path / "box.png", tmp_path / "noise.wav"
    pixels = np.full((60, 80, 3), 235, np.uint8)
    pixels[20:40, 20:60] = (200, 90, 40)
    Image.fromarray(pixels).save(picture)
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    soundfile.write(clip, noise.clip(-1, 1), 16_000)
    found = bench_app(tmp_path, pictures=[picture], sounds=[clip], repeats=1)
    assert set(found["rows"]) == ROWS and len(found["bars"]) == 4
    medians = {name: row["median"] for name, row in found["rows"].items()}
    assert all(value > 0 for value in medians.values())
    assert medians["picture: first chunk"] < medians["picture: last update"]
    up, served = "peak memory when it is up", "peak memory after a picture and a sound"
    assert 0.1 < medians[up] <= medians[served] < 10
