"""Some of many, for evaluations that cannot take all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, evenly spread, in their order."""
    count = min(count, len(items))
    return [items[k * len(items) // count] for k in range(count)]
