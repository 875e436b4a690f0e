import json

import pytest
import torch

from hyperdemo.checkpoints import load_checkpoint
from tests.train import scenes
from tests.train.sound.test_task import config_of, task_of, tones
from train.package import main, package
from train.run import run_facts, train

CPU = torch.device("cpu")


def finish(config, task, out):
    """A run of four steps, evaluated at every second: its folder and its state."""
    facts = run_facts(config, task, device=CPU, command="--config mine")
    return out, train(config, task, out=out, device=CPU, facts=facts)


@pytest.fixture
def finished(views, tmp_path):
    config = scenes.train_config(steps=4, eval_every=2)
    return finish(config, scenes.task_of(config, views), tmp_path / "run")


def curve_of(out, *names):
    """Steps and rounded scores of a run's log."""
    return [[r["step"], *(round(r[name], 3) for name in names)] for r in scenes.log_of(out)]


def test_what_is_shipped_is_the_average_and_its_facts(finished, tmp_path, capsys):
    out, state = finished
    main([str(out), "--out", str(tmp_path / "weights")])
    assert capsys.readouterr().out.strip() == str(tmp_path / "weights" / "view-scratch.safetensors")
    loaded = load_checkpoint(tmp_path / "weights", "view-scratch")
    assert loaded.model.config == state.config.model
    average = state.average.state_dict()
    for key, tensor in loaded.model.state_dict().items():
        torch.testing.assert_close(tensor, average[key], rtol=2**-11, atol=2**-24)
    assert not torch.allclose(average["heads.tokens"], state.model.heads.tokens, rtol=1e-6)
    facts = loaded.facts
    assert facts["steps_taken"] == 4 and facts["train_objects"] == 3
    assert facts["training"]["lr"] == 1e-3 and "model" not in facts["training"]
    curve = curve_of(out, "val_psnr")
    assert facts["val_curve"] == curve and [step for step, _ in curve] == [2, 4]
    assert facts["val_psnr"] == curve[-1][1]
    n_weights = sum(p.numel() for p in state.model.parameters())
    assert facts["parameters"] == facts["trainable_parameters"] == n_weights
    assert facts["inr_parameters"] == 27 * 16 + 16 + 16 * 16 + 16 + 16 * 4 + 4
    assert {"git", "command", "hardware", "torch", "minutes"} <= set(facts)


def test_a_run_that_goes_on_is_packaged_as_it_is(finished, tmp_path):
    """Rows beyond the saved state are not of these weights."""
    out, _ = finished
    with (out / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 6, "val_psnr": 99.0}) + "\n")
    package(out, tmp_path / "weights")
    assert load_checkpoint(tmp_path / "weights", "view-scratch").facts["val_psnr"] < 90


def test_a_sound_run_is_packaged_with_scores_of_its_own(tmp_path):
    config = config_of(steps=4)
    _, state = finish(config, task_of(config, tones(200, 330)), tmp_path / "run")
    package(tmp_path / "run", tmp_path / "weights")
    loaded = load_checkpoint(tmp_path / "weights", "sound-scratch")
    assert loaded.model.config == state.config.model and loaded.facts["train_prompts"] == 2
    curve = curve_of(tmp_path / "run", "val_snr", "val_stoi")
    assert loaded.facts["val_curve"] == curve and [row[0] for row in curve] == [2, 4]
    assert [loaded.facts["val_snr"], loaded.facts["val_stoi"]] == curve[-1][1:]
    assert "val_psnr" not in loaded.facts
    assert loaded.facts["inr_parameters"] == 17 * 16 + 16 + 16 * 16 + 16 + 16 + 1


def test_a_run_without_a_state_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no state.pt; train it first"):
        package(tmp_path, tmp_path / "weights")
