"""Seconds that work takes, and how the results of a benchmark are written down.

A part of a benchmark is `{"rows": …, "bars": …}`. A row is the median, the extremes and the values
of what was measured, with their unit; a bar holds the median of one row against a bound.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, TypeVar

import torch

T = TypeVar("T")


def timed(work: Callable[[], T], *, device: torch.device) -> tuple[float, T]:
    """Seconds that work takes on a device, and what it returns."""
    _settle(device)
    started = perf_counter()
    found = work()
    _settle(device)
    return perf_counter() - started, found


def rounds(
    once: Callable[[], Mapping[str, float]], *, repeats: int, warm_up: bool = True
) -> dict[str, list[float]]:
    """What rounds of measurements give, by name.

    All that is to be compared belongs into one round, where noise hits it alike.

    Args:
        once: does one round.
        repeats: rounds that count.
        warm_up: do one before them that does not.
    """
    if warm_up:
        once()
    done = [once() for _ in range(repeats)]
    return {name: [found[name] for found in done] for name in done[0]}


def stamped(items: Iterable[T]) -> Iterator[tuple[float, T]]:
    """Items with the seconds from the first request for one until each came."""
    started = perf_counter()
    for item in items:
        yield perf_counter() - started, item


def _settle(device: torch.device) -> None:
    """Wait for what a GPU still has to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def row(values: Sequence[float], unit: str) -> dict[str, Any]:
    """Unit, median and extremes of values, and the values."""
    return {
        "unit": unit,
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "values": list(values),
    }


def bar(
    name: str,
    found: Mapping[str, Any],
    *,
    below: float | None = None,
    at_least: float | None = None,
) -> dict[str, Any]:
    """The median of a row against a bound; give one of the two."""
    value = found["median"]
    met = value < below if below is not None else value >= at_least
    bound = {"below": below} if below is not None else {"at_least": at_least}
    return {"name": name, "value": value, "unit": found["unit"], **bound, "met": met}


def table(title: str, part: Mapping[str, Any]) -> str:
    """One part for a terminal: a line per row, per bar and per note."""
    width = max(len(name) for name in [*part["rows"], "bar"]) + 2
    n_runs = sorted({len(found["values"]) for found in part["rows"].values()})
    runs = " or ".join(str(n) for n in n_runs) + (" run" if n_runs == [1] else " runs")
    lines = [f"{title}: median (low – high) of {runs}"]
    for name, found in part["rows"].items():
        median, low, high = (number(found[key]) for key in ("median", "low", "high"))
        lines.append(f"  {name:<{width}}{median} {found['unit']}  ({low} – {high})")
    for one in part["bars"]:
        sign, bound = ("<", one["below"]) if "below" in one else ("≥", one["at_least"])
        verdict, unit = "met" if one["met"] else "missed", one["unit"]
        lines.append(
            f"  bar: {one['name']} {sign} {number(bound)} {unit}: "
            f"{number(one['value'])} {unit}, {verdict}"
        )
    return "\n".join(lines + [f"  {line}" for line in part.get("notes", ())])


def number(value: float) -> str:
    """Three significant digits, without powers of ten."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}".rstrip(".")
