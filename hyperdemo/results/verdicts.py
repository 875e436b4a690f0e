"""Which of the paper's claims hold, as it is shown in the documents and on the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from hyperdemo.results.markdown import markdown_table

LEVEL = 0.05
"""Chance that any interval of a table misses its difference, if the scores are near normal."""


@dataclass(frozen=True)
class Verdict:
    """On one of the paper's claims, in words and in numbers as they are shown.

    Attributes:
        difference: what the claim says is above zero, by the task's first metric.
        interval: of the difference; "–" where it cannot be told.
        seeds: of each arm.
    """

    claim: str
    difference: str
    interval: str
    seeds: str
    verdict: str


def verdict_table(verdicts: Sequence[Verdict], axis: str, *, things: str) -> str:
    """Markdown of the verdicts and what their intervals are; empty without any.

    Args:
        verdicts: all of a task's; their intervals hold together.
        axis: name and unit of what differs.
        things: that runs are scored on, as "objects".
    """
    if not verdicts:
        return ""
    header = ["claim", f"difference, {axis}", "interval", "seeds", "verdict"]
    rows = [dataclasses.astuple(one) for one in verdicts]
    return (
        "**Which of the paper's claims hold here?** All intervals of the table hold together with "
        f"{100 * (1 - LEVEL):.0f} % confidence (Bonferroni); they cover seeds, and {things} where "
        f"the runs recorded them one by one.\n\n{markdown_table(header, rows)}"
    )
