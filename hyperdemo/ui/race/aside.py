"""Work that gives way: in a thread of its own, at the lowest priority that there is."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

Made = TypeVar("Made")
LOWEST = 19
_PATIENCE_S = 0.2


def aside(make: Callable[[], Iterator[Made | None]]) -> Iterator[Made]:
    """What an iterator gives, without its Nones, made in a thread that all other work goes before.

    Where a Linux thread is given a priority, the threads that PyTorch starts from it inherit it.
    Closing this iterator ends the other one at its next value, None or not.

    Args:
        make: begins the work.

    Raises:
        Exception: what the work raised.
    """
    made: queue.Queue[tuple[Made | None, BaseException | None]] = queue.Queue(maxsize=1)
    left = threading.Event()

    def hand_over(value: Made | None, error: BaseException | None = None) -> None:
        while not left.is_set():
            with suppress(queue.Full):
                return made.put((value, error), timeout=_PATIENCE_S)

    def work() -> None:
        with suppress(OSError, AttributeError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST)
        try:
            for value in make():
                if left.is_set():
                    return
                if value is not None:
                    hand_over(value)
            hand_over(None)
        except BaseException as error:
            hand_over(None, error)

    thread = threading.Thread(target=work, name="aside", daemon=True)
    thread.start()
    try:
        while True:
            value, error = made.get()
            if error is not None:
                raise error
            if value is None:
                return
            yield value
    finally:
        left.set()
