"""Ending runs of a search that fall behind, by the median stopping rule of Golovin et al. (2017).

A run ends where its best score is below the median of what the others scored on average up to the
same step. It reads what they have logged in their folders, be they finished or under way on other
machines. A run that ended so has no metrics: it may not be compared with those that had all steps.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

STOPPED = "stopped_early"
"""Key of a row's reason where a training was ended before its budget."""
GRACE = 0.25
"""Share of the steps that every run may take."""
FEWEST = 3
"""Others that must have come as far before a run is ended."""

Row = Mapping[str, Any]


def why_stop(folder: Path, others: Iterable[Path], *, steps: int) -> str:
    """Why a run should end at its last score; "" if it should go on.

    Args:
        folder: of the run; its `metrics.jsonl` is read, as those of the others are.
        others: folders of the runs that it is compared with, which have the same budget.
        steps: that budget.
    """
    own = _scores(folder)
    step = max(own, default=0)
    if not GRACE * steps <= step < steps:
        return ""
    curves = [curve for curve in map(_scores, others) if max(curve, default=0) >= step]
    if len(curves) < FEWEST:
        return ""
    means = [statistics.fmean(v for at, v in curve.items() if at <= step) for curve in curves]
    best, median = max(own.values()), statistics.median(means)
    if best >= median:
        return ""
    return (
        f"at step {step} of {steps} its best score was {best:.2f}, below {median:.2f}, the median "
        f"of {len(curves)} others' means until then"
    )


def finished(names: Sequence[str], runs: Mapping[str, Row]) -> list[Row]:
    """The rows of an arm's runs; none if one was ended early, since the others are the better."""
    rows = [runs[name] for name in names if name in runs]
    return [] if any(STOPPED in row for row in rows) else [row for row in rows if "metrics" in row]


def _scores(folder: Path) -> dict[int, float]:
    """By step, the first of a run's scores on validation data, of which more is better."""
    path = folder / "metrics.jsonl"
    # A line may be half written.
    lines = path.read_text().splitlines() if path.is_file() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    found = ((row["step"], [v for key, v in row.items() if key.startswith("val_")]) for row in rows)
    return {step: scores[0] for step, scores in found if scores}
