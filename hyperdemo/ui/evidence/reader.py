"""`weights/results.json` as evidence; what is missing or broken in it is left out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from hyperdemo.ui.evidence.measured import (
    CHECKS,
    METRICS,
    SPLITS,
    Arm,
    Experiment,
    Measured,
    Metric,
    Paired,
    RatePoint,
    Rates,
    Run,
    TaskEvidence,
    Training,
)


def read_evidence(results: Any) -> dict[str, TaskEvidence]:
    """The tasks that have something to show, sound first.

    Args:
        results: content of `weights/results.json`; what is not as expected in it is left out.
    """
    results = _mapping(results)
    tasks = {}
    for task in ("sound", "view"):
        own = _mapping(results.get(task))
        sweep = _mapping(_mapping(results.get("sweeps")).get(task))
        tasks[task] = TaskEvidence(
            task,
            answers=_answers(own, task),
            trainings=_trainings(own, task),
            paired=_paired(own, task),
            experiments=_experiments(sweep, task),
            rates=_rates(_mapping(own.get("rates")), task),
        )
    return {task: evidence for task, evidence in tasks.items() if evidence}


def _answers(own: Mapping[str, Any], task: str) -> dict[str, dict[str, Measured]]:
    answers: dict[str, dict[str, Measured]] = {}
    for split, measured in _by_split(own.get("splits")):
        for name, row in measured.items():
            if scores := _measured(row, task):
                answers.setdefault(str(name), {})[split] = scores
    return answers


def _by_split(value: Any) -> list[tuple[str, Mapping[str, Any]]]:
    return [(split, _mapping(_mapping(value).get(split))) for split in SPLITS]


def _measured(row: Any, task: str) -> Measured | None:
    row = _mapping(row)
    values = _values(row, task)
    if not any(metric.key in values for metric in METRICS[task]):
        return None
    return Measured(values, _whole(row.get("prompts", row.get("objects"))), _whole(row.get("of")))


def _values(row: Mapping[str, Any], task: str) -> dict[str, float]:
    keys = [metric.key + end for metric in METRICS[task] for end in ("", "_stderr")]
    return {key: value for key in keys if (value := _number(row.get(key))) is not None}


def _trainings(own: Mapping[str, Any], task: str) -> dict[str, Training]:
    trainings = {}
    for name, facts in _mapping(own.get("models")).items():
        facts = _mapping(facts)
        rows = [[_number(v) for v in _list(row)] for row in _list(facts.get("val_curve"))]
        curves = {}
        for column, check in enumerate(CHECKS[task], start=1):
            points = [(row[0], row[column]) for row in rows if len(row) > column]
            kept = tuple(point for point in points if None not in point)
            if kept:
                curves[check.key] = kept
        if curves:
            trainings[str(name)] = Training(
                curves, _whole(facts.get("steps_taken")), _number(facts.get("minutes")),
                _text(facts.get("hardware")),
            )  # fmt: skip
    return trainings


def _paired(own: Mapping[str, Any], task: str) -> dict[tuple[str, str], Paired]:
    """As the file tells it, or else from the single scores that it holds."""
    found = {}
    for split, measured in _by_split(own.get("splits")):
        told = _mapping(_mapping(own.get("paired")).get(split))
        for metric in METRICS[task]:
            row = _mapping(told.get(metric.key))
            numbers = [_number(row.get(key)) for key in ("mean", "stderr", "better", "prompts")]
            if None not in numbers:
                mean, stderr, better, n = numbers
                found[split, metric.key] = Paired(mean, stderr, round(better), round(n))
            elif one_by_one := _one_by_one(measured, metric):
                found[split, metric.key] = one_by_one
    return found


def _one_by_one(measured: Mapping[str, Any], metric: Metric) -> Paired | None:
    """Pretrained minus from scratch over what both were scored on."""
    first, second = (
        {
            str(row.get("object", row.get("prompt"))): value
            for row in map(_mapping, _list(_mapping(measured.get(name)).get("rows")))
            if (value := _number(row.get(metric.key))) is not None
        }
        for name in ("foundation", "scratch")
    )
    gains = [first[name] - second[name] for name in first if name in second]
    if len(gains) < 2:
        return None
    better = sum(gain > 0 if metric.higher else gain < 0 for gain in gains)
    stderr = statistics.stdev(gains) / math.sqrt(len(gains))
    return Paired(statistics.fmean(gains), stderr, better, len(gains))


def _experiments(sweep: Mapping[str, Any], task: str) -> tuple[Experiment, ...]:
    rows = _mapping(sweep.get("runs"))
    yardsticks = {
        str(name): {split: one for split, row in _by_split(splits) if (one := _measured(row, task))}
        for name, splits in _mapping(sweep.get("yardsticks")).items()
    }
    found = []
    for words in map(_mapping, _mapping(sweep.get("experiments")).values()):
        x_from = _text(words.get("x_from"))
        arms = [_arm(arm, rows, task, x_from) for arm in map(_mapping, _list(words.get("arms")))]
        if kept := tuple(arm for arm in arms if arm is not None):
            texts = [_text(words.get(key)) for key in ("title", "question", "reading", "x_label")]
            found.append(Experiment(*texts, arms=kept, yardsticks=yardsticks))
    return tuple(found)


def _arm(words: Mapping[str, Any], rows: Mapping[str, Any], task: str, x_from: str) -> Arm | None:
    named = [_mapping(rows.get(name)) for name in map(str, _list(words.get("runs")))]
    runs = [(row, run) for row in named if (run := _run(row, task)) is not None]
    if not runs:
        return None
    x = _number(words.get("x"))
    if x is None and x_from:
        found = [_number(row.get(x_from)) for row, _ in runs]
        x = statistics.fmean(found) if None not in found else None
    return Arm(
        _text(words.get("label")), _text(words.get("series")), x, tuple(run for _, run in runs)
    )


def _run(row: Mapping[str, Any], task: str) -> Run | None:
    scores = {
        split: found
        for split, metrics in _by_split(row.get("metrics"))
        if (found := _measured(metrics, task))
    }
    if not scores:
        return None
    return Run(scores, _whole(row.get("steps")), _text(row.get("hardware")))


def _rates(own: Mapping[str, Any], task: str) -> Rates | None:
    curves = {}
    for codec, rows in _mapping(own.get("curves")).items():
        points = []
        for row in map(_mapping, _list(rows)):
            kbit_s, values = _number(row.get("kbit_s")), _values(row, task)
            if kbit_s and kbit_s > 0 and values:
                points.append(RatePoint(_text(row.get("label")), kbit_s, values))
        if points:
            curves[str(codec)] = tuple(sorted(points, key=lambda point: point.kbit_s))
    if not curves:
        return None
    return Rates(
        curves, _text(own.get("split")) or "test", _whole(own.get("prompts")),
        _number(own.get("window_s")), _text(own.get("reading")),
    )  # fmt: skip


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    """Finite numbers; JSON as Python writes it may hold NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def _whole(value: Any) -> int | None:
    number = _number(value)
    return None if number is None else round(number)
