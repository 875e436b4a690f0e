"""Whose request it is, as far as one can tell, and how much each visitor has sent."""

from __future__ import annotations

import os
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from starlette.datastructures import Headers

MAX_VISITOR_BYTES, MAX_ALL_BYTES = 2**30, 8 * 2**30
"""Of what one visitor, and all together, may send within `KEPT_S`."""
KEPT_S = 4 * 3600.0
"""As long as uploads are kept."""

_CALLER = "x-hyperdemo-caller"
# Only this process can name a caller: Gradio hands on an assistant's headers to itself.
_SIGNED = secrets.token_hex(16) + " "

Scope = MutableMapping[str, Any]


def address(scope: Scope) -> str:
    """Of whoever sent a request; on a Space its proxy tells, which the last entry comes from."""
    forwarded = Headers(scope=scope).get("x-forwarded-for", "")
    if os.environ.get("SPACE_ID") and forwarded:
        return forwarded.rpartition(",")[2].strip()
    client = scope.get("client")
    return client[0] if client else ""


def signed(scope: Scope, *, assistant: bool) -> Scope:
    """The request of an assistant with its address in a header; of anybody else without one.

    All assistants call by way of one session, in which Gradio calls itself.
    """
    mine = _SIGNED.encode()
    name = _CALLER.encode()
    headers = [one for one in scope["headers"] if one[0] != name or one[1].startswith(mine)]
    if assistant:
        headers = [one for one in headers if one[0] != name]
        headers.append((name, mine + address(scope).encode()))
    return {**scope, "headers": headers}


def assistant_of(headers: Mapping[str, str]) -> str | None:
    """The address of the assistant that a request of Gradio's to itself is made for."""
    said = headers.get(_CALLER, "")
    return said.removeprefix(_SIGNED) if said.startswith(_SIGNED) else None


class Ledger:
    """How many bytes came from whom within the time that uploads are kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._entries: deque[tuple[float, str, int]] = deque()

    def note(self, visitor: str, n_bytes: int) -> None:
        """Count what a visitor has sent; what is too little to matter is not kept."""
        if n_bytes >= 2**16:
            self._entries.append((self._clock(), visitor, n_bytes))

    def room(self, visitor: str) -> int:
        """Bytes that a visitor may still send."""
        while self._entries and self._entries[0][0] < self._clock() - KEPT_S:
            self._entries.popleft()
        everybody = sum(n for _, _, n in self._entries)
        own = sum(n for _, who, n in self._entries if who == visitor)
        return min(MAX_VISITOR_BYTES - own, MAX_ALL_BYTES - everybody)
