import time

import pytest
import torch

from bench.timing import bar, number, rounds, row, stamped, table, timed


def test_work_is_timed_and_hands_on_what_it_returns():
    seconds, found = timed(lambda: time.sleep(0.02) or "made", device=torch.device("cpu"))
    assert seconds >= 0.02 and found == "made"


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


def test_items_are_stamped_when_they_come():
    def items():
        for name in "ab":
            time.sleep(0.02)
            yield name

    (first_s, first), (second_s, second) = stamped(items())
    assert (first, second) == ("a", "b") and 0.02 <= first_s <= second_s - 0.02


def test_the_table_of_a_part():
    rows = {"wait": row([0.5, 0.25, 1.0], "s"), "gain": row([12_345.6], "×")}
    assert rows["wait"] == {
        "unit": "s", "median": 0.5, "low": 0.25, "high": 1.0, "values": [0.5, 0.25, 1.0]
    }  # fmt: skip
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


def test_a_bar_is_met_or_missed():
    one = row([1.0], "s")
    assert bar("a", one, below=1.5)["met"] and not bar("a", one, below=1.0)["met"]
    assert bar("a", one, at_least=1.0)["met"]
    assert bar("a", one, at_least=3.0) == {
        "name": "a", "value": 1.0, "unit": "s", "at_least": 3.0, "met": False
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.0123"), (1.0, "1.00"), (99.94, "99.9"), (1e6, "1,000,000")]
)
def test_numbers_have_three_significant_digits(value, text):
    assert number(value) == text
