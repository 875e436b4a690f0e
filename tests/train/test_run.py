import dataclasses
import json
import math

import pytest
import torch

from hyperdemo.checkpoints import load_checkpoint, save_checkpoint
from hyperdemo.config import FieldConfig
from hyperdemo.model import HyperModel
from tests import tiny
from tests.train import scenes
from train.config import ViewData
from train.loop import MetricsLog, _plain_attention, run_facts, train
from train.run import _assignment, parse_arguments
from train.view.validate import quick_psnr

CPU = torch.device("cpu")


def test_a_tiny_model_learns_two_balls(tmp_path):
    """Balls on the axis: framing crops to the object, so that colour alone tells them apart."""
    red = dict(density=60.0, radius=0.5, rgb=(0.9, 0.2, 0.1), height=0.3)
    blue = dict(density=60.0, radius=0.35, rgb=(0.1, 0.3, 0.8), height=-0.4)
    views = scenes.views_of([red, blue])
    field = FieldConfig(width=32, depth=3, n_freqs=3, max_log2_freq=1.0)
    config = scenes.train_config(
        model=tiny.model_config(init="scratch", field=field), steps=60, warmup=5, batch=4,
        data=ViewData(target_views=2, rays=64, samples=16, mirror=0.5), lr=1e-2, eval_every=10,
    )  # fmt: skip
    state = train(config, scenes.task_of(config, views), out=tmp_path, device=CPU)
    scores = [row["val_psnr"] for row in scenes.log_of(tmp_path)]
    assert scores[-1] > 22 and scores[-1] > scores[0] + 8
    swapped = dataclasses.replace(views, framed=views.framed.flip(0))
    assert quick_psnr(state.average, swapped, device=CPU) < 15  # so it does read the picture


def test_rows_say_what_a_plot_needs(views, tmp_path):
    config = scenes.train_config(steps=12, eval_every=5)
    train(config, scenes.task_of(config, views), out=tmp_path, device=CPU)
    rows = scenes.log_of(tmp_path)
    # Every tenth step, each evaluation, and the last step.
    assert [row["step"] for row in rows] == [5, 10, 12]
    keys = {"step", "seconds", "loss", "psnr", "grad_norm", "lr_scale", "val_psnr"}
    for row in rows:
        assert set(row) == keys and all(math.isfinite(value) for value in row.values())


def test_it_is_saved_on_the_way(views, tmp_path, monkeypatch):
    config = scenes.train_config(steps=3, save_minutes=0.0, eval_every=1)
    task, path, steps = scenes.task_of(config, views), tmp_path / "state.pt", []

    def score(_):
        steps.append(torch.load(path, weights_only=True)["step"] if path.is_file() else 0)
        return {"val_psnr": 0.0}

    monkeypatch.setattr(task, "score", score)
    train(config, task, out=tmp_path, device=CPU)
    assert steps == [0, 1, 2]


def test_a_run_keeps_the_code_that_it_began_with(views, tmp_path):
    config = scenes.train_config(steps=4)
    task = scenes.task_of(config, views)

    def go_on(git, stop_at, config=config):
        facts = {"git": git, "config": config.to_dict()}
        train(config, task, out=tmp_path, device=CPU, stop_at=stop_at, facts=facts)
        return json.loads((tmp_path / "run.json").read_text())

    assert go_on("a", 1) == json.loads(json.dumps({"git": "a", "config": config.to_dict()}))
    assert "resumed_at" not in go_on("a", 2)
    for git, stop_at in (("b-dirty", 3), ("b-dirty", 3), ("c", 4), ("a", 4)):
        facts = go_on(git, stop_at)
    assert facts["git"] == "a" and facts["resumed_at"] == ["b-dirty", "c"]
    longer = go_on("c", 4, scenes.train_config(steps=9))
    assert longer["config"]["steps"] == 9 and longer["resumed_at"] == ["b-dirty", "c"]
    with pytest.raises(ValueError, match="other values of seed"):
        go_on("theirs", 4, scenes.train_config(steps=4, seed=5))
    assert json.loads((tmp_path / "run.json").read_text()) == longer
    (tmp_path / "state.pt").unlink()
    assert go_on("d", 1)["git"] == "d"  # nothing was left to go on with


def test_a_gradient_that_is_not_finite_ends_the_run(views, tmp_path, monkeypatch):
    config = scenes.train_config()
    task = scenes.task_of(config, views)
    loss = task.loss
    monkeypatch.setattr(task, "loss", lambda *a, **k: (loss(*a, **k)[0] * math.nan, {}))
    with pytest.raises(FloatingPointError, match="step 0: the gradient is not finite; lower the"):
        train(config, task, out=tmp_path, device=CPU)
    assert not (tmp_path / "state.pt").exists()


def test_the_norm_of_the_gradient_is_clipped(views, tmp_path, monkeypatch):
    norms, step = [], torch.optim.AdamW.step

    def watched(optimizer, *args, **kwargs):
        grads = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(torch.nn.utils.get_total_norm(grads).item())
        return step(optimizer, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    config = scenes.train_config(steps=2, clip=1e-4)
    train(config, scenes.task_of(config, views), out=tmp_path, device=CPU)
    assert norms == pytest.approx([1e-4, 1e-4], rel=1e-2)
    assert scenes.log_of(tmp_path)[-1]["grad_norm"] > 1e-3  # as it was before


def test_the_log_drops_the_steps_that_come_again_and_lines_that_a_kill_cut(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 10, "loss": 5.0}\n{"step": 20, "loss": 4.0}\n{"step": 30, "lo')
    MetricsLog(path, since=10).write({"step": 20, "loss": 0.0})
    assert scenes.log_of(tmp_path) == [{"step": 10, "loss": 5.0}, {"step": 20, "loss": 0.0}]
    path.write_text('{"step": 10, "loss": 5.0}\n{"step": 20, "lo')
    MetricsLog(path, since=20).write({"step": 30})
    assert [row["step"] for row in scenes.log_of(tmp_path)] == [10, 30]


def test_arguments_become_a_config(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("steps = 9\n")
    argv = f"--config {path} --init scratch --set lr=1e-4 --set model.n_groups=4 "
    argv = f"{argv} --set data.views_dir=somewhere --device cpu".split()
    config, out, device, workers, _ = parse_arguments(argv)
    assert config.steps == 9 and config.lr == 1e-4 and config.model.n_groups == 4
    assert config.data.views_dir == "somewhere" and config.model.init == "scratch"
    assert str(out) == "runs/mine-scratch-full" and device == CPU
    assert workers == 1
    more = ["--adapt", "frozen", "--out", "here", "--workers", "8"]
    _, out, _, workers, _ = parse_arguments([*argv[:2], *more])
    assert (str(out), workers) == ("here", 8)
    assert _assignment("a=x=y") == ("a", "x=y") and _assignment("b=true") == ("b", True)


def test_an_assignment_without_a_value_is_refused(capsys):
    with pytest.raises(SystemExit):
        parse_arguments(["--config", "view-cpu", "--set", "lr"])
    assert "--set expects KEY=VALUE, got lr" in capsys.readouterr().err


def test_attention_that_is_multiplied_out_is_the_same():
    model = tiny.model()
    pictures = torch.rand(2, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    fused = model.encode(pictures).weights
    _plain_attention(model)
    assert not any(block.attn.fused_attn for block in model.encoder.blocks)
    for one, other in zip(fused, model.encode(pictures).weights, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_run_starts_from_a_checkpoint_and_says_what_came_before(views, tmp_path):
    model = HyperModel(tiny.model_config(init="scratch"))
    facts = {"git": "abc", "steps_taken": 7, "minutes": 1.5, "val_psnr": 9.0}
    save_checkpoint(model, tmp_path, name="view-scratch", facts=facts)
    kept = load_checkpoint(tmp_path, "view-scratch").model
    config = scenes.train_config(
        model=kept.config, start=str(tmp_path / "view-scratch"), steps=2, lr=0.0, lr_backbone=0.0
    )
    task = scenes.task_of(config, views)
    state = train(config, task, out=tmp_path / "still", device=CPU)
    for name, value in kept.state_dict().items():
        assert torch.equal(state.model.state_dict()[name], value), name
    moving = dataclasses.replace(config, lr=1e-2, lr_backbone=1e-2)
    state = train(moving, task, out=tmp_path / "moving", device=CPU)
    fixed = [k for k, v in kept.state_dict().items() if torch.equal(state.model.state_dict()[k], v)]
    assert not fixed
    found = run_facts(config, task, device=CPU, command="")
    assert found["started_from"] == {"git": "abc", "steps_taken": 7, "minutes": 1.5}
    other = dataclasses.replace(config, model=tiny.model_config(init="scratch", n_groups=1))
    with pytest.raises(ValueError, match="view-scratch is another model than this run trains"):
        train(other, task, out=tmp_path / "other", device=CPU)
