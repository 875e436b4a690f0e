"""Markdown tables of the sweeps: a row per arm, and what each experiment says."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hyperdemo.results.markdown import markdown_table
from hyperdemo.results.measured import METRICS, THINGS, Metric
from hyperdemo.results.verdicts import verdict_table
from train.early_stopping import STOPPED
from train.report.tables import TASKS, yardsticks_of
from train.report.verdicts import verdicts

SPLITS = {"test": "held-out", "unseen": "unseen"}
NUMBERS = {
    "trainable_parameters": "trainable parameters", "written": "generated weights per INR",
    "inr_parameters": "parameters of the INR",
}  # fmt: skip
"""Columns of an experiment whose arms stand at such a number of their runs."""

Run = Mapping[str, Any]


def sweep_tables(task: str, sweep: Mapping[str, Any]) -> str:
    """Markdown of every experiment that has a run of its own, after the budget of them all."""
    runs: Mapping[str, Run] = sweep.get("runs", {})
    parts = [_experiment(task, experiment, sweep) for experiment in with_own_runs(sweep)]
    runs = {name: run for name, run in runs.items() if "metrics" in run}
    axis = METRICS[task][0].axis
    table = verdict_table(verdicts(task, sweep), axis, things=THINGS[task])
    parts += [table] if table else []
    return "\n\n".join([*([_budget(task, runs)] if runs else []), *parts])


def with_own_runs(sweep: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Experiments with a run that no earlier one has: arms of comparison alone answer nothing."""
    kept, runs = [], set(sweep.get("runs", {}))
    for experiment in sweep.get("experiments", {}).values():
        own = {name for arm in experiment["arms"] for name in arm["runs"]}
        if own & runs:
            kept.append(experiment)
        runs -= own
    return kept


def _budget(task: str, runs: Mapping[str, Run]) -> str:
    scored = [run["metrics"]["test"] for run in runs.values()]
    what = THINGS[task]
    minutes = sum(run["minutes"] for run in runs.values())
    hardware = ", ".join(sorted({run["hardware"] for run in runs.values()}))
    return (
        f"{len(runs)} runs of {_range(run['steps'] for run in runs.values())} steps, "
        f"{minutes / 60:.1f} hours of training in all, on {hardware}; scored on "
        f"{_range(scores[what] for scores in scored)} held-out {what} and as many unseen ones. "
        "± is the standard deviation over seeds; rows without it are one seed."
    )


def _range(values: Iterable[int]) -> str:
    """A number, or the least and the greatest of several."""
    found = sorted(set(values))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _experiment(
    task: str,
    experiment: Mapping[str, Any],
    sweep: Mapping[str, Any],
) -> str:
    runs: Mapping[str, Run] = sweep["runs"]
    named = [runs[n] for arm in experiment["arms"] for n in arm["runs"] if n in runs]
    yardsticks = yardsticks_of(sweep, named)
    number = experiment.get("x_from", "")
    header = ["arm", "weights", *([NUMBERS[number]] if number else []), "seeds"]
    blank = ["–"] * (len(header) - 1)
    header += [f"{metric.axis}, {SPLITS[split]}" for split, metric in _columns(task)]
    # An arm may stand in several series of a figure; one row is enough.
    arms: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for arm in experiment["arms"]:
        arms.setdefault(tuple(arm["runs"]), arm)
    rows = []
    for names, arm in arms.items():
        found = [runs[name] for name in names if name in runs]
        if missing := [why for run in found if (why := _why_missing(run))]:
            rows.append([arm["label"], missing[0], *[""] * (len(header) - 2)])
        elif found:
            scratch = found[0]["config"]["model"]["init"] == "scratch"
            cells = [arm["label"], "random" if scratch else "pretrained"]
            cells += [f"{found[0][number]:,}"] if number else []
            rows.append([*cells, str(len(found)), *_cells(task, [r["metrics"] for r in found])])
    for name, words in TASKS[task].answers.items():
        if scored := yardsticks.get(name):
            counts = " and ".join(f"{scored[s]['objects']}" for s in SPLITS if s in scored)
            rows.append([f"*{words}, on {counts}*", *blank, *_cells(task, [scored])])
    words = [f"**{experiment['title']}** {experiment['question']}", markdown_table(header, rows)]
    return "\n\n".join(part for part in [*words, experiment["reading"]] if part)


def _why_missing(run: Run) -> str:
    """Why a run has no score to be compared; "" if it has one."""
    if STOPPED in run:
        return f"stopped early: {run[STOPPED]}"
    return f"not run: {run['not_run'].partition('. ')[0]}" if "not_run" in run else ""


def _columns(task: str) -> list[tuple[str, Metric]]:
    """Splits and metrics: four of the held-out split, two of the unseen one."""
    return [(split, m) for split, n in (("test", 4), ("unseen", 2)) for m in METRICS[task][:n]]


def _cells(task: str, scored: Sequence[Mapping[str, Any]]) -> list[str]:
    """Means over seeds, with their deviation where there are several."""
    cells = []
    for split, metric in _columns(task):
        measured = [one[split].get(metric.key) for one in scored if split in one]
        known = [score for score in measured if score is not None]
        spread = f" ± {metric.text(statistics.stdev(known))}" if len(known) > 1 else ""
        cells.append(metric.text(statistics.mean(known)) + spread if known else "–")
    return cells
