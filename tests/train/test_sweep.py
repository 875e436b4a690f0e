import dataclasses
import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from hyperdemo.backbones import build_vit
from tests import tiny
from tests.train import scenes
from tests.train.sound.test_task import config_of, task_of, tones
from train import sweep as module
from train.experiments import Arm, Experiment, Run, Sweep
from train.loop import train
from train.package import package
from train.report.sweep_tables import sweep_tables
from train.sound.task import SoundTask
from train.sweep import (
    add_row,
    claimed,
    describe,
    done,
    folder_of,
    listing,
    parse_arguments,
    train_and_score,
    work,
)

CPU = torch.device("cpu")
SOUNDS = tones(300, 500)


class TinySweep(Sweep):
    """Arms of a tiny model, by what differs from `config_of`."""

    def run(self, name, arm, seed):
        changes = dict(arm.changes) | {"seed": seed}
        words = " ".join(["tiny", *(f"{k}={v}" for k, v in changes.items())])
        return Run(words, changes, config_of(save_minutes=0.0, **changes))


TINY = TinySweep(
    "tiny", {}, {
        "rate": Experiment("Rates", "Which?", (Arm("low", {"lr": 1e-4}), Arm("high", x=1.0))),
        "seeds": Experiment("Seeds", "Again?", (Arm("high", seeds=(0, 1)),)),
        "search": Experiment(
            "Search", "Which?", tuple(
                Arm(str(lr), {"lr_heads": lr}) for lr in (1e-3, 2e-3, 3e-3, 10.0)
            ),
        ),
    },
)  # fmt: skip


class TinyTask:
    @staticmethod
    def load(config, *, device):
        return task_of(config, SOUNDS)


def score(loaded, *, data_config, limit):
    assert not loaded.model.training
    total = sum(p.double().sum().item() for p in loaded.model.parameters())
    return {"test": {"stoi": round(total, 6), "prompts": limit}}


@pytest.fixture(autouse=True)
def tiny_tasks(monkeypatch):
    for name, small in (("TASKS", TinyTask), ("SWEEPS", TINY), ("SCORES", score)):
        monkeypatch.setattr(module, name, {"sound": small})


class Mortal(SoundTask):
    """Counts its steps in a file, in the third of which its process ends, the first time."""

    mark = None

    def loss(self, model, *, generator):
        if self.mark:
            self.mark.open("a").write(".")
            if len(self.mark.read_text()) == 3:
                os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(model, generator=generator)


class KilledOnce:
    """Reads the tiny data in a worker of Ray, whose process ends once, in mid-run."""

    def __init__(self, mark):
        self.mark = mark

    def load(self, config, *, device):
        if config.seed == 1:
            raise ValueError("no such data")
        task = Mortal(config, SOUNDS, SOUNDS, device=device)
        task.mark = self.mark if config.lr == 1e-4 else None
        return task


def arguments(folder, *more):
    runs, out = folder / "runs", folder / "results.json"
    return parse_arguments(["sound", "--runs", str(runs), "--out", str(out), "--limit", "3", *more])


def rows_of(args):
    return json.loads(args.out.read_text())["sweeps"]["sound"]["runs"]


def test_a_row_per_run_and_what_is_done_is_skipped(tmp_path):
    args = arguments(tmp_path)
    work(TINY, args, names=["rate"], device=CPU)
    rows = rows_of(args)
    assert list(rows) == ["tiny lr=0.0001 seed=0", "tiny seed=0"]
    row = rows["tiny seed=0"]
    assert row["config"] == json.loads(json.dumps(config_of(seed=0, save_minutes=0.0).to_dict()))
    assert (row["seed"], row["steps"], row["train_prompts"]) == (0, 4, 2)
    assert {"minutes", "hardware", "git", "torch"} <= set(row)
    assert row["command"] == "python -m train.run --config tiny --set seed=0"
    assert [point["step"] for point in row["curve"]] == [2, 4]
    assert row["metrics"]["test"]["prompts"] == 3
    # Layers 17 → 16 → 16 → 1 with masks of four groups, of one for the last.
    assert row["written"] == 4 * 17 + 4 * 16 + 16
    assert row["inr_parameters"] == 17 * 16 + 16 + 16 * 16 + 16 + 16 + 1
    assert not list((tmp_path / "runs").rglob("state.pt"))

    work(TINY, args, names=["rate", "seeds"], device=CPU)
    again = rows_of(args)
    assert list(again) == [*rows, "tiny seed=1"]
    assert all(again[name] == row for name, row in rows.items())  # minutes and all: not run anew


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(tmp_path):
    whole, broken = arguments(tmp_path / "a", "--keep"), arguments(tmp_path / "b")
    work(TINY, whole, names=["rate"], device=CPU)
    run = TINY.runs(("rate",))[1]
    folder = broken.runs / folder_of(run)
    facts = {"git": "an earlier commit", "config": run.config.to_dict(), "train_prompts": 2}
    train(run.config, task_of(run.config, SOUNDS), out=folder, device=CPU, stop_at=1, facts=facts)
    row = train_and_score(run, folder, load=TinyTask.load, score=score, device=CPU, limit=3)
    expected = rows_of(whole)[run.name]
    assert row["metrics"] == expected["metrics"]
    assert [r["val_snr"] for r in row["curve"]] == [r["val_snr"] for r in expected["curve"]]
    assert row["git"] == "an earlier commit" and len(row["resumed_at"]) == 1
    assert len(list(whole.runs.rglob("state.pt"))) == 2


def test_a_run_that_another_process_works_on_is_left_to_it(tmp_path):
    args = arguments(tmp_path)
    run = TINY.runs(("seeds",))[0]
    lock = args.runs / f"{folder_of(run)}.lock"
    code = (
        "import pathlib, sys\nfrom train.sweep import claimed\n"
        "with claimed(pathlib.Path(sys.argv[1])) as mine:\n"
        "    print(mine, flush=True)\n    sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(lock)]
    pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen(command, **pipes) as other:
        assert other.stdout.readline() == "True\n"
        with claimed(lock) as mine:
            assert not mine
        work(TINY, args, names=["seeds"], device=CPU)
        assert list(rows_of(args)) == ["tiny seed=1"]
        other.kill()
    with claimed(lock) as mine:  # the lock went with its process
        assert mine


def test_on_ray_a_lost_run_goes_on_and_a_failed_one_ends_no_other(
    tmp_path, monkeypatch, ray_runtime
):
    here, there = arguments(tmp_path / "here"), arguments(tmp_path / "there", "--ray")
    work(TINY, here, names=["rate"], device=CPU)
    monkeypatch.setattr(module, "TASKS", {"sound": KilledOnce(tmp_path / "dead")})
    with pytest.raises(RuntimeError, match="1 of 3 runs failed: tiny seed=1"):
        work(TINY, there, names=["rate", "seeds"], device=CPU)
    assert len((tmp_path / "dead").read_text()) == 3 + 2  # two were saved, of four
    expected, found = (
        {name: (row["metrics"], row["curve"]) for name, row in rows_of(args).items()}
        for args in (here, there)
    )
    assert found == expected
    monkeypatch.setattr(module, "TASKS", {"sound": SimpleNamespace(load=None)})  # none again
    work(TINY, there, names=["rate"], device=CPU)


def test_in_a_search_a_hopeless_run_is_ended_and_may_go_on_later(tmp_path):
    args = arguments(tmp_path, "--stop-hopeless")
    work(TINY, args, names=["search"], device=CPU)
    *some, bad = rows_of(args).values()
    assert len(some) == 3 and all(row["steps"] == 4 and "metrics" in row for row in some)
    assert bad["steps"] == 2 and "metrics" not in bad
    assert bad["stopped_early"].startswith("at step 2 of 4 its best score was ")
    results = json.loads(args.out.read_text())
    last = listing(TINY, results, task="sound", names=["search"]).splitlines()[-1]
    assert last == "stopped tiny lr_heads=10.0 seed=0"
    (state,) = args.runs.rglob("state.pt")  # of what may go on
    before = rows_of(args)
    work(TINY, args, names=["search"], device=CPU)
    assert rows_of(args) == before and state.exists()  # it is left as it is
    whole = arguments(tmp_path)
    work(TINY, whole, names=["search"], device=CPU)
    *_, bad = rows_of(whole).values()
    assert bad["steps"] == 4 and bad["metrics"] and "stopped_early" not in bad
    assert [point["step"] for point in bad["curve"]] == [2, 4]


def test_without_the_option_no_run_is_ended(tmp_path):
    args = arguments(tmp_path)
    work(TINY, args, names=["search"], device=CPU)
    assert [row["steps"] for row in rows_of(args).values()] == [4, 4, 4, 4]


def test_the_list_says_what_is_done_and_a_changed_configuration_is_no_finished_run(tmp_path):
    run = TINY.runs(("rate",))[1]
    add_row(tmp_path / "r.json", "sound", run, {"config": run.config.to_dict()})
    results = json.loads((tmp_path / "r.json").read_text())
    listed = listing(TINY, results, task="sound", names=["rate"])
    assert listed == "        tiny lr=0.0001 seed=0\ndone    tiny seed=0"
    results["sweeps"]["sound"]["runs"][run.name]["config"]["lr"] = 9.0
    with pytest.raises(ValueError, match="with another configuration"):
        done(results, "sound", run)


def test_experiments_name_the_runs_of_their_arms():
    assert describe(TINY, ["seeds"]) == {
        "seeds": {
            "title": "Seeds", "question": "Again?", "reading": "", "x_label": "", "x_from": "",
            "arms": [{
                "label": "high", "series": "pretrained", "x": None,
                "runs": ["tiny seed=0", "tiny seed=1"],
            }],
        }
    }  # fmt: skip


def test_folders_differ_where_runs_do():
    first, *others = TINY.runs(("rate", "seeds"))
    odd = dataclasses.replace(first, name="sound-cpu data/x=a b model.init=scratch")
    assert folder_of(odd) == "sound-cpu_data_x=a_b_init=scratch"
    assert len({folder_of(run) for run in (first, *others)}) == 3


def test_a_training_that_starts_from_another_has_learned_from_both(tmp_path):
    args = arguments(tmp_path)
    first = TINY.run("rate", Arm("first", {"lr": 1e-2}), 0)
    plain = TINY.run("rate", Arm("second"), 0)
    after = dataclasses.replace(plain, name="tiny after", before=first)
    folder = args.runs / folder_of(after)
    row = train_and_score(
        after, folder, load=module.TASKS["sound"].load, score=score, device=CPU, limit=3
    )
    assert row["config"] == plain.config.to_dict()
    assert row["started_from"]["steps_taken"] == first.config.steps
    # By hand: the first training's checkpoint, as the start of the second.
    train(first.config, task_of(first.config, SOUNDS), out=tmp_path / "a", device=CPU, facts={
        "config": first.config.to_dict(), "git": "x", "train_prompts": 2,
    })  # fmt: skip
    package(tmp_path / "a", tmp_path / "a")
    config = dataclasses.replace(plain.config, start=str(tmp_path / "a" / "sound-scratch"))
    state = train(config, task_of(config, SOUNDS), out=tmp_path / "b", device=CPU)
    assert row["metrics"] == score(SimpleNamespace(model=state.average), data_config=None, limit=3)


@pytest.fixture
def by_name(monkeypatch, hub_cache, views):
    """A sweep of one arm, whose tiny backbone has its weights from the hub's cache."""
    config = scenes.train_config(
        model=tiny.model_config(init="foundation"), backbone_file="hub", steps=2, eval_every=1
    )
    run = Run("tiny by name", {}, config)
    task = SimpleNamespace(load=lambda config, *, device: scenes.task_of(config, views))

    def score(loaded, *, data_config, limit):
        return {"test": {"psnr": 1.0, "ssim": 0.5, "perceptual": 0.5, "objects": limit}}

    monkeypatch.setattr(module, "TASKS", {"view": task})
    monkeypatch.setattr(module, "SCORES", {"view": score})
    return SimpleNamespace(runs=lambda names: [run]), run


def test_weights_that_are_not_to_be_had_are_said_and_sought_again(by_name, tmp_path, hub_cache):
    sweep, run = by_name
    args = SimpleNamespace(
        task="view", runs=tmp_path / "runs", out=tmp_path / "r.json", limit=3, keep=False,
        ray=False, stop_hopeless=False,
    )  # fmt: skip
    work(sweep, args, names=["a"], device=CPU)
    words = {"title": "T", "question": "Q.", "reading": "", "arms": [
        {"label": "DINO", "series": "s", "x": None, "runs": [run.name]},
    ]}  # fmt: skip

    def recorded():
        results = json.loads(args.out.read_text())
        swept = results["sweeps"]["view"]
        table = sweep_tables("view", swept | {"experiments": {"a": words}})
        return done(results, "view", run), swept["runs"][run.name], table

    finished, row, table = recorded()
    assert not finished and "Connect to the internet once" in row["not_run"]
    assert "| DINO | not run: the pretrained weights of " in table
    vit = build_vit(run.config.model.backbone).vit
    hub_cache(vit.state_dict())
    work(sweep, args, names=["a"], device=CPU)
    finished, row, table = recorded()
    assert finished and row["steps"] == 2 and "not_run" not in row
    assert "| DINO | pretrained | 1 | 1.00 | 0.500 | 0.500 |" in table


def test_unknown_experiments_are_named(capsys):
    with pytest.raises(SystemExit):
        parse_arguments(["sound", "--only", "magic"])
    assert "no experiment magic; there are rate, seeds, search" in capsys.readouterr().err
