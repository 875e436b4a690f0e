"""A clock for benchmarks that goes on only when it is told to."""

from collections.abc import Callable
from typing import Any

import pytest


class FakeClock:
    """Seconds since it was made, put in the place of the real clock."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self.now = 0.0
        patch.setattr("bench.timing.perf_counter", lambda: self.now)

    def takes(self, seconds: float, found: Any = None) -> Callable[..., Any]:
        """Work of a known duration, whatever it is given."""

        def work(*_: object, **__: object) -> Any:
            self.now += seconds
            return found

        return work
