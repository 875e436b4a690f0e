import json

import numpy as np
import pytest
import soundfile
import torch

from bench import sound
from bench.sound import bench_clip, clip_rows, encoder_windows, report, speech_like
from hyperdemo.checkpoints import LoadedModel, save_checkpoint
from hyperdemo.pipeline import SoundPipeline
from tests import tiny

CPU = torch.device("cpu")
STAGES = {"encode", "decode", "both"}


def positive(found, *, repeats):
    assert set(found) == {"median", "low", "high", "values"} and len(found["values"]) == repeats
    return 0 < found["low"] <= found["median"] <= found["high"] < np.inf


def test_the_noise_is_as_long_as_asked_and_swells_like_speech():
    clip = speech_like(2.0)
    assert clip.duration_s == 2.0 and clip.heard.dtype == np.float32
    assert np.sqrt(np.mean(clip.heard**2)) == pytest.approx(0.05, rel=1e-3)
    level = np.abs(clip.heard).reshape(-1, 400).mean(1)
    rhythm = np.abs(np.fft.rfft(level - level.mean()))
    assert np.argmax(rhythm) == 8  # swells in two seconds
    assert np.array_equal(clip.heard, speech_like(2.0).heard)
    assert not np.array_equal(clip.heard, speech_like(2.0, seed=1).heard)


def test_the_encoder_s_windows_are_those_of_the_pipeline():
    clip, heard = speech_like(0.5), []
    loaded = LoadedModel("sound-x", tiny.sound_model(), {})
    pipeline = SoundPipeline({"x": loaded}, device=CPU)
    write, loaded.model.write = loaded.model.write, lambda w: heard.append(w) or write(w)
    list(pipeline.listen(clip, sound.REQUEST))
    assert torch.equal(torch.cat(heard), encoder_windows(loaded, clip))


def test_a_clip_s_timings():
    models = {n: LoadedModel(n, tiny.sound_model(k), {}) for k, n in enumerate("ab")}
    found = bench_clip(SoundPipeline(models, device=CPU), speech_like(0.3), repeats=2)
    assert found["seconds"] == 0.3 and set(found["models"]) == {"a", "b"}
    for stages in found["models"].values():
        assert set(stages) == STAGES
        assert all(positive(stage, repeats=2) for stage in stages.values())
    assert positive(found["together"], repeats=2) and positive(found["first_sound_s"], repeats=2)
    rows = clip_rows(found)
    assert rows["b both"] is found["models"]["b"]["both"] and len(rows) == 8
    whole = {"hardware": "an abacus", "torch": "0", "repeats": 2, "clips": {"noise": found}}
    printed = report(whole)
    assert "an abacus" in printed and "a encode" in printed and "first sound" in printed


def test_the_command(tmp_path, monkeypatch, capsys):
    for init in ("foundation", "scratch"):
        save_checkpoint(tiny.sound_model(init=init), tmp_path, name=f"sound-{init}", facts={})
    out = tmp_path / "bench.json"
    argv = ["b", "--weights", str(tmp_path), "--repeats", "1", "--device", "cpu"]
    monkeypatch.setattr("sys.argv", [*argv, "--seconds", "0.1", "0.2", "--json", str(out)])
    sound.main()
    found = json.loads(out.read_text())
    assert list(found["clips"]) == ["noise of 0.1 s", "noise of 0.2 s"] and found["repeats"] == 1
    assert set(found["clips"]["noise of 0.2 s"]["models"]) == {"foundation", "scratch"}
    assert "CPU" in found["hardware"] and "real-time factor" in capsys.readouterr().out
    clip = tmp_path / "own.wav"
    soundfile.write(clip, speech_like(0.4).heard[:4410], 22_050)
    monkeypatch.setattr("sys.argv", [*argv, "--models", "scratch", "--clip", str(clip)])
    sound.main()
    printed = capsys.readouterr().out
    assert "own.wav, 0.2 s" in printed and "foundation" not in printed
    monkeypatch.setattr("sys.argv", ["b", "--weights", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match="bench.sound: there is no checkpoint"):
        sound.main()
