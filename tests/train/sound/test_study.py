import json
import sys

import pytest

from tests.train.sound.test_task import config_of, tones
from train.sound import study
from train.sound.task import SoundTask


@pytest.mark.parametrize("name", study.FIELDS)
def test_every_field_of_the_study_can_be_built(name):
    study.SoundFieldConfig(**study.FIELDS[name])


@pytest.mark.parametrize("name", study.INPUTS)
def test_every_training_of_the_study_can_be_built(name):
    config = study.short(study.INPUTS[name], steps=7)
    assert config.steps == config.eval_every == 7
    assert config.model.n_stretches >= config.data.stretches


def test_more_than_a_field_can_hold_fits_worse(monkeypatch):
    monkeypatch.setattr(study, "FIT_STEPS", 40)
    small = dict(width=8, depth=2)
    low = study.study_field(small | {"n_freqs": 30, "max_freq_hz": 1000.0}, tones(300.0))
    high = study.study_field(small | {"n_freqs": 2, "max_freq_hz": 66.0}, tones(3000.0))
    assert low["snr_db"] > high["snr_db"] + 4 and low["snr_db"] >= low["worst_db"]


def test_a_study_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    out = tmp_path / "results.json"
    out.write_text(json.dumps({"view": {"test": 1}}))
    monkeypatch.setattr(study, "FIELDS", {})
    monkeypatch.setattr(study, "INPUTS", {"one": {"steps": 1}, "two": {"steps": 2}})
    monkeypatch.setattr(study, "short", lambda changes, *, steps: config_of(**changes))
    monkeypatch.setattr(
        SoundTask, "load", lambda config, device: SoundTask(
            config, tones(300), tones(300), device=device
        ),
    )  # fmt: skip
    options = ["x", "--out", str(out), "--runs", str(tmp_path / "runs")]
    monkeypatch.setattr(sys, "argv", [*options, "--only", "one"])
    study.main()
    found = json.loads(out.read_text())
    assert found["view"] == {"test": 1} and set(found["sound"]["studies"]["inputs"]) == {"one"}
    trained = []
    real = study.study_input
    monkeypatch.setattr(study, "study_input", lambda c, o: trained.append(c.steps) or real(c, o))
    monkeypatch.setattr(sys, "argv", options)
    study.main()
    inputs = json.loads(out.read_text())["sound"]["studies"]["inputs"]
    assert trained == [2] and [row["steps"] for row in inputs.values()] == [1, 2]
    assert {"val_snr", "val_stoi", "minutes"} <= set(inputs["two"])
