"""What a class has answered: counts, kept while the app runs, and nothing of who answered."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.special import betaincinv

MAX_PER_MINUTE, MAX_ALL_PER_MINUTE = 30, 1200
"""Answers that are counted of one session, and of all sessions together."""
_MINUTE_S = 60.0


@dataclass(frozen=True)
class Count:
    """Answers to a question with two possible answers, of which guessing alone gets half right.

    Raises:
        ValueError: more right ones than answers, or fewer than none.
    """

    right: int = 0
    answers: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.answers:
            raise ValueError(
                f"from 0 to as many right ones as answers expected, "
                f"got {self.right} of {self.answers}"
            )

    @property
    def proportion(self) -> float:
        """Right ones of all, in [0, 1]; not a number where there is no answer."""
        return self.right / self.answers if self.answers else float("nan")

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The exact binomial confidence interval of the proportion (Clopper & Pearson, 1934).

        Its ends are quantiles of beta distributions. It holds the true proportion at least as often
        as its confidence says, however few the answers are.

        Args:
            confidence: in (0, 1).

        Returns:
            Lower and upper end, in [0, 1].
        """
        k, n, tail = self.right, self.answers, (1 - confidence) / 2
        lower = float(betaincinv(k, n - k + 1, tail)) if k else 0.0
        upper = float(betaincinv(k + 1, n - k, 1 - tail)) if k < n else 1.0
        return lower, upper


class Tally:
    """How many answered each question, and how many of them right; safe among threads.

    So that no visitor can flood it, it holds the ids of the sessions that answered within a minute
    of the newest answer, and nothing else of visitors.

    Args:
        questions: that can be answered.
        clock: seconds that only grow.
    """

    def __init__(self, questions: Sequence[str], clock: Callable[[], float] = time.monotonic):
        self._counts = {question: Count() for question in questions}
        self._recent: deque[tuple[float, str]] = deque()
        self._clock, self._lock = clock, threading.Lock()

    def add(self, question: str, *, right: bool, session: str) -> bool:
        """Count an answer; returns whether it was, for one too many in a minute is not.

        Raises:
            ValueError: there is no such question.
        """
        with self._lock:
            before, now = self._find(question), self._clock()
            while self._recent and self._recent[0][0] <= now - _MINUTE_S:
                self._recent.popleft()
            own = sum(one == session for _, one in self._recent)
            if own >= MAX_PER_MINUTE or len(self._recent) >= MAX_ALL_PER_MINUTE:
                return False
            self._recent.append((now, session))
            self._counts[question] = Count(before.right + bool(right), before.answers + 1)
            return True

    def read(self, question: str) -> Count:
        """What was answered so far.

        Raises:
            ValueError: there is no such question.
        """
        with self._lock:
            return self._find(question)

    def reset(self, question: str) -> None:
        """Begin anew with a question.

        Raises:
            ValueError: there is no such question.
        """
        with self._lock:
            self._find(question)
            self._counts[question] = Count()

    def _find(self, question: str) -> Count:
        if question not in self._counts:
            raise ValueError(f"one of the questions {sorted(self._counts)} expected")
        return self._counts[question]
