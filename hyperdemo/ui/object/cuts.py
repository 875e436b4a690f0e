"""Cut-outs that wait for their visitors to press a button, within bounds."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass

import numpy as np
from cachetools import TTLCache
from jaxtyping import UInt8

from hyperdemo.preprocess import Prepared

MAX_BYTES = 256 * 2**20
"""Of all visitors' cut-outs together: twenty of the largest pictures, hundreds of usual ones."""

MAX_WAIT_S = 12 * 3600
"""A cut-out that nobody asked for in this time is let go; the picture's file goes before."""


@dataclass(frozen=True)
class Cut:
    """A picture with the outline that was found by itself: what strokes are laid upon.

    Attributes:
        path: the picture's file, to tell cut-outs of other pictures apart.
        digest: SHA-256 of that file, which may be gone by now.
        rgba: the decoded picture.
        found: the outline before any stroke.
    """

    path: str
    digest: str
    rgba: UInt8[np.ndarray, "h w 4"]
    found: Prepared

    @property
    def n_bytes(self) -> int:
        """Memory that its arrays take."""
        found = self.found
        return sum(a.nbytes for a in (self.rgba, found.rgba, found.mask, found.framed))


class HeldCuts:
    """The cut-outs of all visitors, by a ticket that a visitor's session holds.

    What was used longest ago goes first where there is no room, and what waited too long anyway.

    Args:
        max_bytes: memory that all of them may take together; a larger one is not held.
        max_wait_s: seconds since it was last used.
        timer: gives the time in seconds.
    """

    def __init__(
        self, *, max_bytes: int = MAX_BYTES, max_wait_s: float = MAX_WAIT_S, timer=time.monotonic
    ):
        self._cuts: TTLCache = TTLCache(max_bytes, max_wait_s, timer, lambda cut: cut.n_bytes)
        self._lock = threading.Lock()

    def hold(self, cut: Cut) -> str:
        """Keep a cut-out; returns its ticket, which nobody can guess."""
        ticket = uuid.uuid4().hex
        with self._lock:
            if cut.n_bytes <= self._cuts.maxsize:
                self._cuts[ticket] = cut
        return ticket

    def find(self, ticket: str | None) -> Cut | None:
        """The cut-out of a ticket, whose wait begins anew; None if it was let go."""
        with self._lock:
            cut = self._cuts.pop(ticket, None)
            if cut is not None:
                self._cuts[ticket] = cut
        return cut

    def drop(self, ticket: str | None) -> None:
        """Let go of a cut-out, of a picture that was replaced or a tab that was closed."""
        with self._lock:
            self._cuts.pop(ticket, None)

    @property
    def n_bytes(self) -> int:
        """Memory that all of them take."""
        with self._lock:
            return self._cuts.currsize
