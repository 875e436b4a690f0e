import os
import threading

import pytest

from hyperdemo.ui.race.aside import LOWEST, aside


def test_values_come_in_order_without_nones():
    def make():
        yield from (1, None, 2, None, 3)

    assert list(aside(make)) == [1, 2, 3]


def test_it_runs_in_a_thread_that_others_go_before():
    def make():
        yield threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    ((thread, niceness),) = aside(make)
    assert thread != threading.get_native_id() and niceness == LOWEST
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) < LOWEST


def test_an_error_reaches_who_waits():
    def make():
        yield 1
        raise FloatingPointError("too high")

    made = aside(make)
    assert next(made) == 1
    with pytest.raises(FloatingPointError, match="too high"):
        next(made)


def test_leaving_ends_the_work():
    ended = threading.Event()

    def make():
        try:
            while True:
                yield 1
        finally:
            ended.set()

    made = aside(make)
    assert next(made) == 1
    made.close()
    assert ended.wait(10)
