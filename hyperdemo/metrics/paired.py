"""Two answers to the same questions, compared question by question."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Paired:
    """The first answer's scores minus the second's, on what both were scored on.

    Attributes:
        mean: of the differences, in the metric's unit.
        stderr: standard error of that mean; None for a single pair.
        better: pairs in which the first is better.
        n: pairs.
    """

    mean: float
    stderr: float | None
    better: int
    n: int

    def ahead(self, *, higher: bool) -> int:
        """1 where the first is ahead by more than two standard errors, -1 the second, else 0.

        Args:
            higher: whether higher scores are better.
        """
        if self.stderr is None or abs(self.mean) <= 2 * self.stderr:
            return 0
        return 1 if (self.mean > 0) == higher else -1


def paired_difference(
    first: Sequence[float], second: Sequence[float], *, higher: bool = True
) -> Paired:
    """Compare two sequences of scores, pair by pair.

    Args:
        first, second: scores of the same questions in the same order.
        higher: whether higher scores are better.

    Raises:
        ValueError: the lengths differ, or there is no pair.
    """
    gains = [float(a) - float(b) for a, b in zip(first, second, strict=True)]
    if not gains:
        raise ValueError("expected at least one pair of scores, got none")
    stderr = statistics.stdev(gains) / math.sqrt(len(gains)) if len(gains) > 1 else None
    better = sum((gain > 0) if higher else (gain < 0) for gain in gains)
    return Paired(statistics.fmean(gains), stderr, better, len(gains))
