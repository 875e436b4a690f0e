import pytest
import torch

from bench.timing import bar, measure, number, rounds, row, spread, stamped, table, timed
from tests.bench.clock import FakeClock

CPU = torch.device("cpu")


@pytest.fixture
def clock(monkeypatch):
    return FakeClock(monkeypatch)


def test_what_is_measured_is_repeated_after_a_warm_up(clock):
    calls = []

    def work():
        calls.append(0)
        clock.now += len(calls)

    assert measure(work, repeats=3, device=CPU) == [2, 3, 4]


def test_spread():
    assert spread([3.0, 1.0, 2.0]) == {"median": 2, "low": 1, "high": 3, "values": [3, 1, 2]}
    assert row([4.0], "s") == {"unit": "s", "median": 4, "low": 4, "high": 4, "values": [4]}


def test_work_is_timed_and_hands_on_what_it_returns(clock):
    assert timed(clock.takes(2.5, "made"), device=CPU) == (2.5, "made")


def test_a_gpu_is_waited_for(gpu):
    matrix = torch.randn(4096, 4096, device=gpu)
    seconds, _ = timed(lambda: [matrix @ matrix for _ in range(50)], device=gpu)
    assert seconds > 50 * 2 * 4096**3 / 2e15  # faster than any GPU there is


@pytest.mark.parametrize(("warm_up", "expected"), [(True, [2, 3]), (False, [1, 2])])
def test_rounds_keep_together_what_was_measured_together(warm_up, expected):
    calls = []

    def once():
        calls.append(0)
        return {"a": len(calls), "b": 10 * len(calls)}

    found = rounds(once, repeats=2, warm_up=warm_up)
    assert found == {"a": expected, "b": [10 * n for n in expected]}


def test_items_are_stamped_when_they_come(clock):
    def items():
        for seconds in (1.0, 2.0, 4.0):
            clock.now += seconds
            yield seconds

    clock.now = 100.0
    found = []
    for seconds, item in stamped(items()):
        clock.now += 0.5  # the listener's own time counts as well
        found.append((seconds, item))
    assert found == [(1.0, 1.0), (3.5, 2.0), (8.0, 4.0)]


def test_a_bar_is_met_or_missed():
    one, two = row([1.0], "s"), row([1.0, 2.0, 9.0], "×")
    assert bar("a", one, below=1.5)["met"] and not bar("a", one, below=1.0)["met"]
    assert bar("b", two, at_least=2.0)["met"] and not bar("b", two, at_least=2.1)["met"]
    assert bar("b", two, at_least=3.0) == {
        "name": "b", "value": 2.0, "unit": "×", "at_least": 3.0, "met": False
    }  # fmt: skip
    for bounds in ({}, {"below": 1.0, "at_least": 1.0}):
        with pytest.raises(ValueError, match="one bound expected"):
            bar("c", one, **bounds)


def test_the_table_of_a_part():
    rows = {"wait": row([0.5, 0.25, 1.0], "s"), "gain": row([12_345.6], "×")}
    bars = [bar("wait", rows["wait"], below=0.4), bar("gain", rows["gain"], at_least=40.0)]
    printed = table("view", {"rows": rows, "bars": bars, "notes": ["of a chair"]}).splitlines()
    assert printed == [
        "view: median (low – high) of 1 or 3 runs",
        "  wait  0.500 s  (0.250 – 1.00)",
        "  gain  12,346 ×  (12,346 – 12,346)",
        "  bar: wait < 0.400 s: 0.500 s, missed",
        "  bar: gain ≥ 40.0 ×: 12,346 ×, met",
        "  of a chair",
    ]
    assert "of 1 run" in table("view", {"rows": {"gain": rows["gain"]}, "bars": []})


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (1.0, "1.00"), (99.94, "99.9"), (1e6, "1,000,000")]
)
def test_numbers_have_three_digits_that_count(value, text):
    assert number(value) == text
