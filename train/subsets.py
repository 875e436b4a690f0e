"""Some of many: for evaluations that cannot take all, and for training on fewer."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def spread(items: Sequence[T], count: int) -> list[T]:
    """At most `count` of the items, evenly spread, in their order."""
    count = min(count, len(items))
    return [items[k * len(items) // count] for k in range(count)]


def some_of(items: Sequence[T], share: float) -> list[T]:
    """A random share of the items, at least one, in their order; smaller shares lie in larger."""
    ranks = list(range(len(items)))
    random.Random(0).shuffle(ranks)
    kept = max(1, round(share * len(items)))
    return [item for item, rank in zip(items, ranks, strict=True) if rank < kept]
