import json

import pytest
import torch

from hyperdemo.checkpoints import load_checkpoint
from tests.train import scenes
from tests.train.sound.test_task import config_of, task_of, tones
from train.loop import run_facts, train
from train.package import main, package

CPU = torch.device("cpu")


@pytest.mark.parametrize("kind", ["view", "sound"])
def test_what_is_shipped_is_the_average_and_its_facts(views, tmp_path, capsys, kind):
    if kind == "view":
        config = scenes.train_config(steps=4, eval_every=2)
        task, names, things = scenes.task_of(config, views), ["val_psnr"], "train_objects"
        n_parameters = 27 * 16 + 16 + 16 * 16 + 16 + 16 * 4 + 4
    else:
        config = config_of(steps=4, eval_every=2)
        task, names = task_of(config, tones(200, 330, 440)), ["val_snr", "val_stoi"]
        things, n_parameters = "train_prompts", 17 * 16 + 16 + 16 * 16 + 16 + 16 + 1
    out = tmp_path / "run"
    facts = run_facts(config, task, device=CPU, command="--config mine")
    state = train(config, task, out=out, device=CPU, facts=facts)
    curve = [[r["step"], *(round(r[name], 3) for name in names)] for r in scenes.log_of(out)]
    with (out / "metrics.jsonl").open("a") as file:  # a row beyond the saved state
        file.write(json.dumps({"step": 6} | dict.fromkeys(names, 99.0)) + "\n")
    main([str(out), "--out", str(tmp_path / "weights")])
    written = tmp_path / "weights" / f"{kind}-scratch.safetensors"
    assert capsys.readouterr().out.strip() == str(written)
    loaded = load_checkpoint(tmp_path / "weights", f"{kind}-scratch")
    assert loaded.model.config == config.model
    average = state.average.state_dict()
    for key, tensor in loaded.model.state_dict().items():
        torch.testing.assert_close(tensor, average[key], rtol=2**-11, atol=2**-24)
    assert not torch.allclose(average["heads.tokens"], state.model.heads.tokens, rtol=1e-6)
    facts = loaded.facts
    assert facts["steps_taken"] == 4 and facts[things] == 3
    assert facts["training"]["lr"] == 1e-3 and "model" not in facts["training"]
    assert facts["val_curve"] == curve and [row[0] for row in curve] == [2, 4]
    found = {name: value for name, value in facts.items() if name in ("val_psnr", *names)}
    assert found == dict(zip(names, curve[-1][1:], strict=True))
    n_weights = sum(p.numel() for p in state.model.parameters())
    assert facts["parameters"] == facts["trainable_parameters"] == n_weights
    assert facts["inr_parameters"] == n_parameters
    assert {"git", "command", "hardware", "torch", "minutes"} <= set(facts)


def test_a_run_without_a_state_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no state.pt; train it first"):
        package(tmp_path, tmp_path / "weights")
