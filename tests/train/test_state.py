import math
import shutil

import pytest
import torch

from hyperdemo.learn.optimizer import learning_rate_scale
from hyperdemo.model import HyperModel
from tests import tiny
from tests.train import scenes
from train.config import ViewData
from train.loop import train
from train.state import TrainState

CPU = torch.device("cpu")


def state_of(**changes):
    config = scenes.train_config(**{"lr_heads": 1e-2} | changes)
    torch.manual_seed(0)
    return TrainState(config, HyperModel(config.model), device=CPU)


def run(out, views, *, stop_at=None, **changes):
    config = scenes.train_config(**{"eval_every": 1, "lr_heads": 1e-2} | changes)
    return train(config, scenes.task_of(config, views), out=out, device=CPU, stop_at=stop_at)


def rows(out):
    """The metrics of each step, but for the time that it took."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in scenes.log_of(out)]


def assert_equal_states(a, b):
    """Bit for bit: weights, average, moments of the optimiser, random stream and step."""
    assert a.step == b.step
    assert torch.equal(a.generator.get_state(), b.generator.get_state())
    for x, y in ((a.model, b.model), (a.average, b.average)):
        torch.testing.assert_close(dict(x.state_dict()), dict(y.state_dict()), rtol=0, atol=0)
    for x, y in zip(a.optimizer.state_dict(), b.optimizer.state_dict(), strict=True):
        assert list(x["state"]) == list(y["state"]) and len(x["state"]) > 5
        for key, moments in x["state"].items():
            torch.testing.assert_close(moments, y["state"][key], rtol=0, atol=0)


def test_a_resumed_run_is_the_run_that_never_stopped(views, tmp_path):
    straight, killed = run(tmp_path / "straight", views), tmp_path / "killed"
    for _ in range(2):
        run(killed, views, stop_at=2)  # the second time there is nothing to do
    torch.manual_seed(99)  # what the process did in between must not matter
    run(killed, views, stop_at=3)
    shutil.copy(killed / "state.pt", tmp_path / "saved.pt")
    run(killed, views, stop_at=5)
    shutil.copy(tmp_path / "saved.pt", killed / "state.pt")  # as if killed before the next save
    assert_equal_states(run(killed, views), straight)
    assert [row["step"] for row in rows(killed)] == [1, 2, 3, 4, 5, 6]
    assert rows(killed) == rows(tmp_path / "straight")
    other = run(tmp_path / "other", views, seed=1)
    assert not torch.equal(other.model.heads.tokens, straight.model.heads.tokens)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"lr": 2e-3}, "lr"),
        ({"seed": 1, "data": ViewData(near_share=0.1)}, "data, seed"),
        ({"model": tiny.model_config(init="scratch", n_groups=2), "batch": 4}, "batch, model"),
    ],
)
def test_a_run_with_another_configuration_is_not_continued(views, tmp_path, changes, named):
    run(tmp_path, views, stop_at=1)
    with pytest.raises(ValueError, match=f"other values of {named}; choose another --out"):
        run(tmp_path, views, **changes)


def test_a_finished_run_may_be_lengthened(views, tmp_path):
    short = run(tmp_path, views, steps=4)
    longer = run(tmp_path, views, steps=7, threads=1, save_minutes=50.0, eval_every=2)
    assert (short.step, longer.step) == (4, 7)
    found = rows(tmp_path)
    assert [row["step"] for row in found] == [1, 2, 3, 4, 6, 7]
    # The schedule of four steps to its end, then that of seven from its fifth step on.
    expected = [learning_rate_scale(k, warmup=2, steps=4) for k in range(4)]
    expected += [learning_rate_scale(k, warmup=2, steps=7) for k in (5, 6)]
    assert [row["lr_scale"] for row in found] == pytest.approx(expected)


def test_a_kill_while_saving_leaves_the_state_before(tmp_path, monkeypatch):
    state = state_of()
    state.save(tmp_path / "state.pt")
    before = (tmp_path / "state.pt").read_bytes()
    state.step = 5

    def killed(_, path):
        path.write_bytes(b"half of it")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(torch, "save", killed)
        state.save(tmp_path / "state.pt")
    assert (tmp_path / "state.pt").read_bytes() == before
    state.save(tmp_path / "state.pt")
    assert [p.name for p in tmp_path.iterdir()] == ["state.pt"]


def scale(step, **changes):
    return learning_rate_scale(step, **{"warmup": 4, "steps": 12} | changes)


@pytest.mark.parametrize(
    ("step", "changes", "expected"),
    [
        *((k, {}, (k + 1) / 4) for k in range(4)),  # warm-up
        (4, {}, 1.0),
        (6, {}, 0.01 + 0.99 * (1 + math.sqrt(0.5)) / 2),  # a quarter on
        (8, {}, 0.505),  # half way down
        (12, {}, 0.01),
        (30, {}, 0.01),
        (0, {"warmup": 0}, 1.0),
        (1, {"steps": 20, "decay": 0.2}, 0.5),
        (16, {"steps": 20, "decay": 0.2}, 1.0),  # up until the last fifth
        (18, {"steps": 20, "decay": 0.2}, 0.505),
        (20, {"steps": 20, "decay": 0.2}, 0.01),
        (5, {"decay": 0.9}, scale(5)),  # never before the warm-up's end
    ],
)
def test_the_learning_rate_by_hand(step, changes, expected):
    assert scale(step, **changes) == pytest.approx(expected)


def test_the_average_by_hand():
    state = state_of(ema=0.9)
    token = state.model.heads.tokens
    before = state.average.heads.tokens.clone()
    assert torch.equal(before, token)
    with torch.no_grad():
        token.add_(1.0)
    state.step = 2  # early on: 3/12 of the old, 9/12 of the new
    state.update_average()
    torch.testing.assert_close(state.average.heads.tokens, before + 0.75)
    state.step = 1000  # later: nine tenths of the old
    state.update_average()
    torch.testing.assert_close(state.average.heads.tokens, before + 0.75 + 0.1 * 0.25)
    assert not any(p.requires_grad for p in state.average.parameters())
    assert not state.average.training
