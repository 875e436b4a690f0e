"""What the page tells and draws, taken from all results at report time."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from hyperdemo.results.measured import (
    CHECKS,
    METRICS,
    SPLITS,
    THINGS,
    Arm,
    Experiment,
    Measured,
    RatePoint,
    Rates,
    Run,
    TaskEvidence,
    Training,
)
from train.early_stopping import finished
from train.provenance import trainings_of
from train.report.sweep_tables import with_own_runs
from train.report.tables import paired_of, yardsticks_of
from train.report.verdicts import verdicts


def measured(results: Mapping[str, Any]) -> dict[str, TaskEvidence]:
    """The tasks that have something to show, objects first."""
    tasks = {}
    for task in ("view", "sound"):
        own, sweep = results.get(task, {}), results.get("sweeps", {}).get(task, {})
        tasks[task] = TaskEvidence(
            task,
            answers=_answers(own, task),
            trainings=_trainings(own, task),
            paired=paired_of(task, own),
            same=_same(own, task),
            experiments=_experiments(sweep, task),
            rates=_rates(own["rates"], task) if "rates" in own else None,
            verdicts=verdicts(task, sweep),
        )
    return {task: evidence for task, evidence in tasks.items() if evidence}


def _splits(rows: Mapping[str, Any], task: str) -> dict[str, Measured]:
    return {
        split: Measured(values, row.get(THINGS[task]), row.get("of"))
        for split, row in ((split, rows.get(split, {})) for split in SPLITS[task])
        if (values := _values(row, task))
    }


def _values(row: Mapping[str, Any], task: str) -> dict[str, float]:
    keys = [metric.key + end for metric in METRICS[task] for end in ("", "_stderr")]
    return {key: float(row[key]) for key in keys if row.get(key) is not None}


def _answers(own: Mapping[str, Any], task: str) -> dict[str, dict[str, Measured]]:
    by_split = own.get("splits", {})
    names = dict.fromkeys(name for split in SPLITS[task] for name in by_split.get(split, {}))
    return {
        name: splits
        for name in names
        if (splits := _splits({s: rows.get(name, {}) for s, rows in by_split.items()}, task))
    }


def _same(own: Mapping[str, Any], task: str) -> dict[str, dict[str, dict[str, Measured]]]:
    """Each answer that was measured on fewer things than the models, and they on the same."""
    thing = THINGS[task].removesuffix("s")
    found: dict[str, dict[str, dict[str, Measured]]] = {}
    for split, answers in own.get("splits", {}).items():
        rows = {
            name: {row[thing]: row for row in answer["rows"]}
            for name, answer in answers.items()
            if answer.get("rows")
        }
        models = {name: rows[name] for name in ("foundation", "scratch") if name in rows}
        for name, own_rows in rows.items() if split in SPLITS[task] else ():
            shared = {m: [r[t] for t in own_rows if t in r] for m, r in models.items()}
            fewer = all(len(own_rows) < len(r) for r in models.values())
            if models and fewer and all(len(s) == len(own_rows) for s in shared.values()):
                means = {m: _mean(rows, task) for m, rows in shared.items()}
                found.setdefault(split, {})[name] = means
    return found


def _mean(rows: Sequence[Mapping[str, Any]], task: str) -> Measured:
    values = {}
    for metric in METRICS[task]:
        known = [float(row[metric.key]) for row in rows if row.get(metric.key) is not None]
        if len(known) == len(rows):
            values[metric.key] = statistics.fmean(known)
            if len(known) > 1:
                values[f"{metric.key}_stderr"] = statistics.stdev(known) / math.sqrt(len(known))
    return Measured(values, len(rows))


def _trainings(own: Mapping[str, Any], task: str) -> dict[str, Training]:
    trainings = {}
    for name, facts in own.get("models", {}).items():
        rows = facts.get("val_curve", [])
        curves = {
            check.key: tuple((float(row[0]), float(row[column])) for row in rows)
            for column, check in enumerate(CHECKS[task], start=1)
        }
        if rows:
            *before, own_part = trainings_of(facts)
            trainings[name] = Training(
                curves,
                own_part["steps_taken"],
                float(sum(one["minutes"] for one in (*before, own_part))),
                facts["hardware"],
                sum(one["steps_taken"] for one in before),
            )
    return trainings


def _experiments(sweep: Mapping[str, Any], task: str) -> tuple[Experiment, ...]:
    runs = sweep.get("runs", {})
    found = []
    for words in with_own_runs(sweep):
        arms = [_arm(arm, runs, task, words.get("x_from", "")) for arm in words["arms"]]
        if kept := tuple(arm for arm in arms if arm.runs):
            named = [runs[n] for arm in words["arms"] for n in arm["runs"] if n in runs]
            answers = yardsticks_of(sweep, named)
            yardsticks = {name: _splits(splits, task) for name, splits in answers.items()}
            texts = [words.get(key, "") for key in ("title", "question", "reading", "x_label")]
            found.append(Experiment(*texts, arms=kept, yardsticks=yardsticks))
    return tuple(found)


def _arm(words: Mapping[str, Any], rows: Mapping[str, Any], task: str, x_from: str) -> Arm:
    named = finished(words["runs"], rows)
    x = words["x"]
    if x is None and x_from and named:
        places = [row.get(x_from) for row in named]
        x = None if None in places else statistics.fmean(places)
    runs = tuple(Run(_splits(row["metrics"], task), row["steps"], row["hardware"]) for row in named)
    return Arm(words["label"], words["series"], None if x is None else float(x), runs)


def _rates(own: Mapping[str, Any], task: str) -> Rates:
    curves = {
        codec: tuple(
            RatePoint(point["label"], float(point["kbit_s"]), _values(point, task))
            for point in sorted(points, key=lambda point: point["kbit_s"])
        )
        for codec, points in own["curves"].items()
    }
    return Rates(curves, own["split"], own["prompts"], own.get("window_s"), own["reading"])
