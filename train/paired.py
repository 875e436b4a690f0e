"""Two answers compared object by object, or prompt by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hyperdemo.metrics.paired import Paired, paired_difference
from hyperdemo.results.measured import METRICS, THINGS

Rows = Sequence[Mapping[str, Any]]


def compare(task: str, first: Rows, second: Rows) -> dict[str, Paired]:
    """Differences first − second by metric, over what both rows have a value of, if anything."""
    name = THINGS[task].removesuffix("s")
    theirs = {row[name]: row for row in second}
    pairs = [(row, theirs[row[name]]) for row in first if row[name] in theirs]
    found = {}
    for metric in METRICS[task]:
        both = [(a.get(metric.key), b.get(metric.key)) for a, b in pairs]
        if known := [pair for pair in both if None not in pair]:
            found[metric.key] = paired_difference(*zip(*known, strict=True), higher=metric.higher)
    return found


def short_rows(task: str, rows: Rows) -> list[dict[str, Any]]:
    """What a comparison needs of each object's or prompt's scores, in four digits."""
    name, keys = THINGS[task].removesuffix("s"), [metric.key for metric in METRICS[task]]
    return [
        {name: row[name]} | {k: round(row[k], 4) for k in keys if row.get(k) is not None}
        for row in rows
    ]
