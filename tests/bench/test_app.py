import subprocess
import sys
from pathlib import Path

import pytest

from bench.app import bench_app, has_film, has_sound, serve
from tests.conftest import ROOT

ROWS = {
    "imports", "start-up after the imports", "peak memory when it is up",
    "peak memory after a picture and a sound",
    *(f"picture{again}: {when}" for again in ("", " again")
      for when in ("first chunk", "last update")),
    *(f"sound{again}: {when}" for again in ("", " again")
      for when in ("first piece", "last update")),
}  # fmt: skip


def test_what_can_be_played():
    assert has_film(({"visible": True, "value": None}, "/tmp/playlist.m3u8"))
    assert not has_film(({"visible": True, "value": None}, "<div>0 %</div>", None))

    def player(*pieces):
        return "words", {"run": "1", "tracks": [{"key": k, "pieces": p} for k, p in pieces]}

    piece = [{"start": 0, "file": "a.wav"}]
    assert has_sound(player(("original", piece), ("foundation", piece), ("scratch", piece)))
    assert not has_sound(player(("original", piece), ("foundation", piece), ("scratch", [])))
    assert not has_sound(({"__type__": "update"}, "words"))


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
def test_the_app_itself(folder, ffmpeg):
    pictures, sounds = folder.glob("objects/*/*"), folder.glob("sounds/*")
    found = bench_app(folder, pictures=[*pictures], sounds=[*sounds], repeats=1)
    assert set(found["rows"]) == ROWS
    assert {bar["name"]: (bar["below"], bar["unit"]) for bar in found["bars"]} == {
        "start-up after the imports": (10, "s"),
        "peak memory after a picture and a sound": (2, "GB"),
        "picture: first chunk": (2.5, "s"),
        "sound: first piece": (2.5, "s"),
    }
    medians = {name: row["median"] for name, row in found["rows"].items()}
    assert all(value > 0 for value in medians.values())
    assert medians["picture: first chunk"] < medians["picture: last update"]
    up, served = "peak memory when it is up", "peak memory after a picture and a sound"
    assert 0.1 < medians[up] <= medians[served] < 10
