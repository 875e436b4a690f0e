"""Train and score all runs of a task's experiments: `python -m train.sweep sound`.

    python -m train.sweep sound --list
    python -m train.sweep sound --only data adaptation
    python -m train.sweep sound --steps 2000            # another budget, other rows

Finished runs are skipped and killed ones resumed, so the command may be given again at any time.
Several processes share the work: one with `taskset -c 0`, one with `taskset -c 1` use two cores.
With `--ray` the runs are Ray tasks on one machine or many, see `train.cluster`. In a search, where
only the best run is of interest, `--stop-hopeless` ends those that fall behind the others, see
`train.early_stopping`. Their rows have a reason in place of metrics; without the option they go on.

Results go to `weights/results.json` under "sweeps": a row per run with its configuration, seed,
budget, hardware, git hash and metrics on held-out data, and the experiments, by the names of
their runs. A run whose pretrained weights are not to be had has a row that says so instead, and
is tried again the next time.
"""

from __future__ import annotations

import argparse
import dataclasses
import fcntl
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from hyperdemo.backbones import NoWeights
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config.model import OLD_TASKS
from hyperdemo.pipeline import choose_device
from hyperdemo.results.recorded import read_recorded
from train.config import TrainConfig, load_config
from train.early_stopping import STOPPED, why_stop
from train.experiments import Run, Sweep, describe
from train.loop import Task, new_model, run_facts, train
from train.package import package
from train.results_file import update
from train.run import TASKS
from train.sound.experiments import SOUND
from train.sound.scores import score_sound_model
from train.view.experiments import VIEW
from train.view.scores import score_view_model, view_yardsticks

SWEEPS: Mapping[str, Sweep] = {"sound": SOUND, "view": VIEW}
Score = Callable[..., Mapping[str, Any]]
SCORES: Mapping[str, Score] = {
    "sound": score_sound_model, "view": score_view_model,
}  # fmt: skip
"""By task: metrics of a model on held-out data, split by split."""
NOT_RUN = "not_run"
"""Key of a row's reason where there is no training."""


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether this process may work on a run; the lock ends with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def done(results: Mapping[str, Any], task: str, run: Run, *, or_stopped: bool = False) -> bool:
    """Whether the results hold this very run, all of it or also where it was ended early.

    Raises:
        ValueError: they hold one of its name with another configuration.
    """
    row = results.get("sweeps", {}).get(task, {}).get("runs", {}).get(run.name)
    if row is None or NOT_RUN in row or (STOPPED in row and not or_stopped):
        return False
    if TrainConfig.from_dict(row["config"]) != run.config:
        raise ValueError(
            f"the results hold {run.name!r} with another configuration: its file in train/configs "
            "has changed since. Remove the row, or go back to that file"
        )
    return True


def train_and_score(
    run: Run,
    folder: Path,
    *,
    load: Callable[..., Task],
    score: Score,
    device: torch.device,
    limit: int,
    rivals: Sequence[Run] = (),
) -> dict[str, Any]:
    """The row of one run, from `load` and `score` of its task.

    Args:
        rivals: runs of the same sweep; it is ended where it falls behind them.

    Raises:
        NoWeights: the pretrained weights that it starts from are not to be had.
    """
    config = run.config
    if config.pretrained is True:
        new_model(config)  # What is not to be had is said before minutes go into reading data.
    if run.before:
        earlier = folder / "before"
        start = _trained_before(run.before, earlier, load=load, device=device)
        config = dataclasses.replace(config, start=str(start))
    data = load(config, device=device)
    begun = run_facts(config, data, device=device, command=run.command)
    others = [
        folder.with_name(folder_of(rival)) for rival in rivals
        if rival.name != run.name and rival.config.steps == config.steps
    ]  # fmt: skip
    why = ""

    def behind() -> str:
        nonlocal why  # asked again, the others may have come further
        why = why_stop(folder, others, steps=config.steps)
        return why

    state = train(config, data, out=folder, device=device, facts=begun, stop_if=behind)
    facts = json.loads((folder / "run.json").read_text())
    if state.step < config.steps and not why:
        raise RuntimeError(f"{run.name} ended at step {state.step} of {config.steps}")
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    scores = [
        {k: round(v, 4) for k, v in line.items() if k == "step" or k.startswith("val_")}
        for line in lines
    ]
    row = {
        **facts,
        "config": run.config.to_dict(),
        "seed": config.seed,
        "steps": state.step,
        "minutes": round(state.seconds / 60, 2),
        "trainable_parameters": state.model.n_trainable,
        "parameters": sum(p.numel() for p in state.model.parameters()),
        "inr_parameters": config.model.field.n_parameters,
        "written": config.model.n_written,
        "curve": [row for row in scores if len(row) > 1],
    }
    if why:
        return row | {STOPPED: why}
    loaded = LoadedModel(f"{config.model.task}-{config.model.init}", state.average, facts)
    return row | {"metrics": score(loaded, data_config=config.data, limit=limit)}


def _trained_before(
    run: Run, folder: Path, *, load: Callable[..., Task], device: torch.device
) -> Path:
    """The checkpoint of a training that another one starts from, without its ending."""
    path = folder / f"{run.config.model.task}-{run.config.model.init}"
    if not path.with_suffix(".safetensors").is_file():
        data = load(run.config, device=device)
        facts = run_facts(run.config, data, device=device, command=run.command)
        train(run.config, data, out=folder, device=device, facts=facts)
        package(folder, folder)
    return path


def _own(results: dict[str, Any], task: str, key: str) -> dict[str, Any]:
    return results.setdefault("sweeps", {}).setdefault(task, {}).setdefault(key, {})


def add_row(out: Path, task: str, run: Run, row: Mapping[str, Any]) -> None:
    update(out, lambda results: _own(results, task, "runs").update({run.name: row}))


def add_words(out: Path, task: str, sweep: Sweep, *, names: Sequence[str], limit: int) -> None:
    """Write the experiments' descriptions; those of other experiments stay.

    Where an experiment was described before, perhaps with other runs, it is described anew once
    each of its arms has a run: until then results keep what can be shown. Beside them go the scores
    of answers without a hypernetwork on what the runs are scored on, where the results have them;
    what was there before stays otherwise.
    """
    splits_file = load_config(sweep.base).data.splits_file

    def change(results: dict[str, Any]) -> None:
        known, runs = (_own(results, task, key) for key in ("experiments", "runs"))
        for name, words in describe(sweep, names).items():
            if name not in known or all(set(arm["runs"]) & set(runs) for arm in words["arms"]):
                known[name] = words
        if task == "view":
            found = view_yardsticks(results, splits_file=splits_file, limit=limit)
            mine = results["sweeps"][task]
            mine.setdefault("yardsticks", {}).update({splits_file: found} if found else {})

    update(out, change)


def folder_of(run: Run) -> str:
    """A name for its folder that any file system takes."""
    return re.sub(r"[^A-Za-z0-9=.+-]+", "_", run.name.replace("model.", ""))


def work(
    sweep: Sweep, args: argparse.Namespace, *, names: Sequence[str], device: torch.device
) -> None:
    """Train and score what is missing and nobody else works on; this process alone writes."""
    runs = sweep.runs(tuple(names))
    finish = partial(
        train_and_score, load=TASKS[args.task].load, score=SCORES[args.task], device=device,
        limit=args.limit, rivals=runs if args.stop_hopeless else (),
    )  # fmt: skip
    for run, row in (_by_ray if args.ray else _in_turn)(runs, finish, args):
        add_row(args.out, args.task, run, row)
        if not args.keep and STOPPED not in row:  # what was ended early may go on
            for path in (args.runs / folder_of(run)).rglob("state.pt"):
                path.unlink()
        print(row.get(NOT_RUN) or row.get(STOPPED) or json.dumps(row["metrics"]), flush=True)


Finish = Callable[[Run, Path], dict[str, Any]]
"""`train_and_score` of a run in its folder."""


def attempt(run: Run, finish: Finish, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The row of a run that is missing and that nobody else works on, claimed until it is taken."""
    folder = args.runs / folder_of(run)
    with claimed(folder.with_name(f"{folder.name}.lock")) as mine:
        results = read_recorded(args.out) if args.out.is_file() else {}
        if not mine or done(results, args.task, run, or_stopped=args.stop_hopeless):
            return
        print(run.name, flush=True)
        try:
            row = finish(run, folder)
        except NoWeights as error:
            row = {"config": run.config.to_dict(), NOT_RUN: str(error)}
        yield row


def _in_turn(
    runs: Sequence[Run], finish: Finish, args: argparse.Namespace
) -> Iterator[tuple[Run, dict[str, Any]]]:
    for run in runs:
        for row in attempt(run, finish, args):
            yield run, row


def _by_ray(
    runs: Sequence[Run], finish: Finish, args: argparse.Namespace
) -> Iterator[tuple[Run, dict[str, Any]]]:
    from train.cluster.sweeping import spread_runs  # Ray, which one machine does without

    gpus = args.share if choose_device(args.device).type == "cuda" else 0.0
    return spread_runs(runs, partial(_rows, finish=finish, args=args), gpus=gpus)


def _rows(run: Run, *, finish: Finish, args: argparse.Namespace) -> list[dict[str, Any]]:
    torch.set_num_threads(run.config.threads or 1)
    return list(attempt(run, finish, args))


def listing(sweep: Sweep, results: Mapping[str, Any], *, task: str, names: Sequence[str]) -> str:
    """A line per run: whether it is done or was ended early, and its name."""

    def state(run: Run) -> str:
        if done(results, task, run):
            return "done"
        return "stopped" if done(results, task, run, or_stopped=True) else ""

    return "\n".join(f"{state(run):7} {run.name}" for run in sweep.runs(tuple(names)))


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.sweep",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("task", choices=sorted(SWEEPS), type=lambda t: OLD_TASKS.get(t, t))
    parser.add_argument("--only", nargs="+", metavar="EXPERIMENT", help="some of the experiments")
    parser.add_argument("--list", action="store_true", help="what there is to do, and what is done")
    parser.add_argument("--steps", type=int, help="of every run, instead of the sweep's budget")
    parser.add_argument("--limit", type=int, default=40, help="prompts or objects per split")
    parser.add_argument("--keep", action="store_true", help="keep the state of finished runs")
    parser.add_argument("--runs", type=Path, default=Path("runs/sweep"))
    parser.add_argument("--out", type=Path, default=Path("weights/results.json"))
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    parser.add_argument("--ray", action="store_true", help="as tasks of a Ray cluster")
    parser.add_argument(
        "--stop-hopeless", action="store_true", help="for a search; not where arms are compared"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of a GPU per run, with --ray")
    args = parser.parse_args(argv)
    known = SWEEPS[args.task].experiments
    if unknown := sorted(set(args.only or ()) - set(known)):
        parser.error(f"no experiment {', '.join(unknown)}; there are {', '.join(known)}")
    return args


def main() -> None:
    args = parse_arguments()
    sweep = SWEEPS[args.task]
    if args.steps:
        sweep = sweep.with_steps(args.steps)
    names = args.only or list(sweep.experiments)
    if args.list:
        results = read_recorded(args.out) if args.out.is_file() else {}
        print(listing(sweep, results, task=args.task, names=names))
        return
    torch.set_num_threads(sweep.runs(tuple(names))[0].config.threads or 1)
    add_words(args.out, args.task, sweep, names=names, limit=args.limit)
    work(sweep, args, names=names, device=choose_device(args.device))
    add_words(args.out, args.task, sweep, names=names, limit=args.limit)


if __name__ == "__main__":
    main()
