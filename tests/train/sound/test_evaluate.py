import json

import numpy as np
import pytest
import scipy.stats
import torch

from hyperdemo.checkpoints import LoadedModel, save_checkpoint
from hyperdemo.inr import sound_of_stretches
from hyperdemo.metrics import log_spectral_distance, si_snr, stoi, waveform_psnr
from tests import tiny
from tests.train.sound.test_baselines import noises
from train.sound import evaluate as module
from train.sound.baselines import silence
from train.sound.evaluate import (
    add,
    ceiling_answer,
    compare,
    evaluate,
    model_answer,
    score,
    standard_error,
    summarise,
)

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def heard():
    return noises(1).sound(0).numpy()


def row(prompt="a", **values):
    whole = {"psnr": 30.0, "si_snr": 5.0, "lsd": 9.0, "stoi": 0.5, "pesq": None, "seconds": 2.0}
    return {"prompt": prompt} | whole | values


def test_a_model_s_answer_is_what_it_writes_window_by_window(heard):
    model = tiny.sound_model()
    said = model_answer(LoadedModel("sound-x", model, {}))(heard[:3280])
    assert said.shape == (3280,)
    with torch.no_grad():
        params = model.encode(torch.from_numpy(heard[None, :3280]))
        expected = sound_of_stretches(tiny.SOUND, params, n_stretches=8)[0]
    np.testing.assert_allclose(said, expected, atol=1e-5)
    assert model_answer(LoadedModel("sound-x", model, {}))(heard).shape == heard.shape


def test_the_ceiling_is_near_the_first_window(heard):
    answer = ceiling_answer(tiny.sound_config(), steps=60)
    assert answer(heard[:2000]).shape == (2000,)
    said = answer(heard)
    assert said.shape == (3280,)
    rough = ceiling_answer(tiny.sound_config(), steps=5)(heard)
    assert waveform_psnr(said, heard[:3280]) > waveform_psnr(rough, heard[:3280]) + 1


def test_scores_are_the_metrics_themselves_of_what_was_said(heard):
    def half(sound):
        return (0.7 * sound + 0.01 * np.sin(np.arange(len(sound))))[:12_000].astype(np.float32)

    found = score(half, heard, with_pesq=False)
    said, truth = half(heard), heard[:12_000]
    assert found["psnr"] == pytest.approx(waveform_psnr(said, truth), abs=1e-4)
    assert found["si_snr"] == pytest.approx(si_snr(said, truth), abs=1e-4)
    assert found["lsd"] == pytest.approx(log_spectral_distance(said, truth), abs=1e-4)
    assert found["stoi"] == pytest.approx(stoi(said, truth, rate_hz=RATE_HZ), abs=1e-4)
    assert found["pesq"] is None and found["seconds"] == 0.75


def test_visqol_is_of_what_is_no_speech(heard, monkeypatch):
    judged = []

    def judge(said, truth, *, rate_hz):
        judged.append((len(said), rate_hz))
        return 4.56789 if np.array_equal(said, truth) else 1.0

    monkeypatch.setattr(module, "visqol", judge)
    found = score(lambda sound: sound, heard, with_pesq=False, with_visqol=True, speech=False)
    assert found["visqol"] == 4.5679 and found["stoi"] is found["pesq"] is None
    assert judged == [(len(heard), RATE_HZ)]
    assert "visqol" not in score(silence, heard, with_pesq=False, with_visqol=True)
    assert "visqol" not in score(silence, heard, with_pesq=False, speech=False)
    rows = [row(visqol=4.0), row(visqol=3.0), row()]
    assert summarise(rows)["visqol"] == 3.5 and summarise(rows)["left_out"]["visqol"] == 1
    assert compare(rows[:1], [row(visqol=3.75)])["visqol"]["mean"] == 0.25


def test_silence_scores(heard):
    found = score(silence, heard, with_pesq=False)
    assert found["stoi"] == 0 and found["si_snr"] is None
    expected = -10 * np.log10(np.mean(heard.astype(float) ** 2) / 4)
    assert found["psnr"] == pytest.approx(expected, abs=1e-3)


def test_a_summary_by_hand():
    rows = [row(stoi=0.2), row(stoi=0.5, si_snr=None), row(stoi=0.8, si_snr=7.0)]
    found = summarise(rows)
    assert found["stoi"] == 0.5 and found["si_snr"] == 6.0 and found["pesq"] is None
    assert found["stoi_stderr"] == pytest.approx(0.3 / np.sqrt(3), abs=1e-4)
    assert found["si_snr_stderr"] == pytest.approx(1.0)  # σ = √2 with n − 1
    assert found["prompts"] == 3 and found["seconds"] == 6.0
    assert found["left_out"] == {"si_snr": 1, "pesq": 3}
    assert summarise(rows[:1])["stoi_stderr"] is None


def test_pairs_are_compared_as_scipy_does():
    rng = np.random.default_rng(0)
    ours, theirs = rng.random((2, 30))
    first = [row(str(k), stoi=v, lsd=10 * v, pesq=2.0) for k, v in enumerate(ours)]
    second = [row(str(k), stoi=v, lsd=10 * v) for k, v in enumerate(theirs)]
    found = compare(first, second[::-1])
    mean, test = np.mean(ours - theirs), scipy.stats.ttest_rel(ours, theirs)
    assert found["stoi"]["mean"] == pytest.approx(mean, abs=1e-4)
    assert found["stoi"]["stderr"] == pytest.approx(mean / test.statistic, abs=1e-4)
    better = int((ours > theirs).sum())
    assert found["stoi"]["better"] == better and found["stoi"]["prompts"] == 30
    assert found["lsd"]["better"] == 30 - better  # there less is better
    assert found["si_snr"]["mean"] == 0 and found["si_snr"]["better"] == 0
    assert "pesq" not in found  # the second has none


def test_only_prompts_that_both_answered_are_paired():
    found = compare([row("a", stoi=0.9), row("b"), row("c", stoi=None)], [row("c"), row("a")])
    assert found["stoi"] == {"mean": 0.4, "stderr": None, "better": 1, "prompts": 1}
    assert found["lsd"]["prompts"] == 2
    assert standard_error([1.0]) is None


def test_what_is_added_leaves_the_rest_alone():
    results = {"view": {"models": {"foundation": 2}}}
    ours, theirs = {"rows": [row(stoi=0.75)]}, {"rows": [row()]}
    add(results, {"splits": {"test": {"foundation": ours}}, "models": {"foundation": 3}})
    assert results["sound"]["paired"] == {}
    add(results, {"splits": {"test": {"scratch": theirs}}, "models": {"scratch": 4}})
    assert results["view"] == {"models": {"foundation": 2}}
    assert results["sound"]["models"] == {"foundation": 3, "scratch": 4}
    assert list(results["sound"]["splits"]["test"]) == ["foundation", "scratch"]
    assert results["sound"]["paired"]["test"]["stoi"]["mean"] == 0.25


def test_a_set_is_scored_sound_by_sound():
    sounds = noises(3)
    found = evaluate(sounds, silence, with_pesq=False)
    assert [r["prompt"] for r in found["rows"]] == list(sounds.ids)
    assert found["psnr"] == pytest.approx(np.mean([r["psnr"] for r in found["rows"]]), abs=1e-4)
    assert found["seconds"] == 3.0 and found["seconds_per_prompt"] >= 0
    json.dumps(found, allow_nan=False)


def write_speech(folder):
    """Two languages of three and two prompts, a piece of music, and their splits."""
    sounds, splits = noises(6, seconds=0.6), {}
    for code, first, count in (("en", 0, 3), ("fr", 3, 2), ("band", 5, 1)):
        samples = [sounds.sound(k).mul(32768).short().numpy() for k in range(first, first + count)]
        ids = [f"{code}/{k}" for k in range(count)]
        prompts = [
            {"id": name, "start": 9600 * k, "length": 9600, "text": ""}
            for k, name in enumerate(ids)
        ]
        np.save(folder / f"{code}.npy", np.concatenate(samples))
        (folder / f"{code}.json").write_text(json.dumps({"prompts": prompts}))
        splits[code] = ids
    path = folder / "splits.json"
    en = splits["en"]
    path.write_text(
        json.dumps(
            {
                "train": en[:1],
                "val": [],
                "test": en[1:],
                "unseen": splits["fr"],
                "test-music": ["band/"],
            }
        )
    )
    return path


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Runs the command on tiny checkpoints and prompts; returns the results file."""
    splits, weights = write_speech(tmp_path), tmp_path / "weights"
    for seed, init in enumerate(("foundation", "scratch")):
        model = tiny.sound_model(seed, init=init)
        save_checkpoint(model, weights, name=f"sound-{init}", facts={"git": init})

    def run(*options, out=weights / "results.json"):
        argv = ["e", "--weights", str(weights), "--speech", str(tmp_path), "--out", str(out)]
        argv += ["--splits", str(splits), "--ceiling-steps", "2", *options]
        monkeypatch.setattr("sys.argv", argv)
        module.main()
        return json.loads(out.read_text())

    return run


def test_the_command_scores_every_answer(command, tmp_path, capsys):
    out = tmp_path / "weights" / "results.json"
    out.write_text(json.dumps({"view": {"models": "views"}}))
    results = command("--ceiling-windows", "1")
    assert results["view"] == {"models": "views"}
    audio = results["sound"]
    for split, ids in (("test", ["en/1", "en/2"]), ("unseen", ["fr/0", "fr/1"])):
        scored = audio["splits"][split]
        assert set(scored) == {"silence", "nearest", "foundation", "scratch", "ceiling"}
        assert [r["prompt"] for r in scored["scratch"]["rows"]] == ids
        assert scored["nearest"]["prompts"] == scored["nearest"]["of"] == 2
        assert scored["ceiling"]["prompts"] == 1 and scored["ceiling"]["steps"] == 2
        assert scored["ceiling"]["rows"][0]["seconds"] == 0.205
        assert audio["paired"][split]["lsd"]["prompts"] == 2
    (music,) = audio["splits"]["test-music"]["scratch"]["rows"]
    assert music["prompt"] == "band/0" and music["stoi"] is music["pesq"] is None
    assert audio["paired"]["test-music"]["si_snr"]["prompts"] == 1
    assert audio["models"]["foundation"] == {"git": "foundation"}
    assert "unseen nearest" in capsys.readouterr().out


def test_some_splits_alone(command):
    found = command("--answers", "silence", "--on", "test-music", "unseen")["sound"]["splits"]
    assert {split: set(scored) for split, scored in found.items()} == {
        "test-music": {"silence"}, "unseen": {"silence"}
    }  # fmt: skip
    with pytest.raises(SystemExit, match="expected splits among .*, got noise"):
        command("--on", "noise")


def test_two_processes_are_merged_into_what_one_would_have_written(command, tmp_path):
    asked = ("--answers", "foundation", "scratch", "silence")
    whole = command(*asked, out=tmp_path / "whole.json")["sound"]
    parts = [tmp_path / "a.json", tmp_path / "b.json"]
    command("--models", "foundation", "--answers", "silence", "foundation", out=parts[0])
    command("--models", "scratch", "--answers", "scratch", out=parts[1])
    merged = command("--merge", *map(str, parts), out=tmp_path / "merged.json")["sound"]
    for audio in (whole, merged):
        for scored in audio["splits"].values():
            for result in scored.values():
                result.pop("seconds_per_prompt")
    assert merged == whole and whole["paired"]["test"]["stoi"]["prompts"] == 2


def test_a_limit_holds_and_an_unknown_answer_is_refused(command):
    audio = command("--limit", "1", "--answers", "silence")["sound"]
    assert audio["splits"]["test"]["silence"]["prompts"] == 1
    assert audio["splits"]["test"]["silence"]["of"] == 2 and audio["models"] == {}
    with pytest.raises(SystemExit, match="expected answers among silence.*got loud"):
        command("--answers", "loud")
