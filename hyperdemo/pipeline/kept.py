"""A cache of networks, grids and files, bounded in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

from cachetools import LRUCache

from hyperdemo.inr import InrParams
from hyperdemo.render.bake import BakedField

Value = TypeVar("Value")


class Kept:
    """A cache for many threads; the least recently used value goes first.

    Args:
        max_bytes: memory that its values may take together; a larger value is not kept.
    """

    def __init__(self, max_bytes: int):
        self._values: LRUCache = LRUCache(max_bytes, getsizeof=n_bytes)
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> object | None:
        """The value of a key; None if it is not there."""
        with self._lock:
            return self._values.get(key)

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of a key, made if it is not there.

        Of two threads that miss at once neither waits: both make it, and both get the first value,
        so that all results derived from it agree.
        """
        with self._lock:
            if key in self._values:
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values and n_bytes(value) <= self._values.maxsize:
                self._values[key] = value
            return self._values.get(key, value)

    @property
    def n_bytes(self) -> int:
        """Memory that its values take."""
        return self._values.currsize


def n_bytes(value: InrParams | BakedField | bytes | None) -> int:
    """Memory of a value, without Python's overhead."""
    match value:
        case None:
            return 0
        case bytes():
            return len(value)
        case BakedField():
            return value.n_bytes
        case InrParams():
            return sum(t.numel() * t.element_size() for t in value.tensors().values())
    raise TypeError(f"weights, a baked field, bytes or None expected, got {type(value)}")
