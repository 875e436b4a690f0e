import threading

import pytest
from scipy.stats import binom, binomtest

from hyperdemo.ui.guess import tally as module
from hyperdemo.ui.guess.tally import MAX_PER_MINUTE, Count, Tally


def test_the_interval_is_scipys_exact_one():
    for n in (*range(1, 13), 400):
        for k in {0, 1, n // 3, n - 1, n}:
            wanted = binomtest(k, n).proportion_ci(0.95, method="exact")
            assert Count(k, n).interval() == pytest.approx((wanted.low, wanted.high), abs=1e-9)
    assert Count(7, 10).interval() == pytest.approx((0.3475, 0.9333), abs=5e-5)  # of any textbook
    low, high = Count(7, 10).interval(0.5)
    assert 0.3475 < low < 0.7 < high < 0.9333


def test_its_ends_are_where_what_was_seen_becomes_unlikely():
    low, high = Count(14, 20).interval()
    assert binom.sf(13, 20, low) == pytest.approx(0.025)
    assert binom.cdf(14, 20, high) == pytest.approx(0.025)


def test_before_the_first_answer_anything_is_possible():
    assert Count().interval() == (0.0, 1.0) and Count().proportion != Count().proportion


@pytest.mark.parametrize(("right", "answers"), [(3, 2), (-1, 2), (0, -1)])
def test_more_right_ones_than_answers_are_refused(right, answers):
    with pytest.raises(ValueError, match="as many right ones as answers"):
        Count(right, answers)


def test_each_question_is_counted_apart_and_begins_anew():
    tally = Tally(["a", "b"])
    assert tally.add("a", right=True, session="s") and tally.add("a", right=False, session="s")
    assert tally.add("b", right=False, session="s")
    assert (tally.read("a"), tally.read("b")) == (Count(1, 2), Count(0, 1))
    assert tally.read("a").proportion == 0.5
    tally.reset("a")
    assert (tally.read("a"), tally.read("b")) == (Count(), Count(0, 1))


@pytest.mark.parametrize("call", [
    lambda t: t.read("c"), lambda t: t.reset("c"), lambda t: t.add("c", right=True, session="s"),
])  # fmt: skip
def test_an_unknown_question_is_refused(call):
    with pytest.raises(ValueError, match=r"one of the questions \['a', 'b'\]"):
        call(Tally(["b", "a"]))


def test_no_visitor_floods_it():
    now = [0.0]
    tally = Tally(["a"], lambda: now[0])
    taken = [tally.add("a", right=True, session="one") for _ in range(MAX_PER_MINUTE + 5)]
    assert taken == [True] * MAX_PER_MINUTE + [False] * 5
    assert tally.add("a", right=False, session="two")  # others are not in the way
    assert tally.read("a") == Count(MAX_PER_MINUTE, MAX_PER_MINUTE + 1)
    tally.reset("a")
    assert not tally.add("a", right=True, session="one")  # a new beginning is no way round it
    now[0] = 59.9
    assert not tally.add("a", right=True, session="one")
    now[0] = 60.0
    assert tally.add("a", right=True, session="one")


def test_nor_do_many_and_their_sessions_are_forgotten_after_a_minute(monkeypatch):
    monkeypatch.setattr(module, "MAX_ALL_PER_MINUTE", 10)
    now = [0.0]
    tally = Tally(["a"], lambda: now[0])
    taken = [tally.add("a", right=True, session=f"session {k}") for k in range(12)]
    assert taken == [True] * 10 + [False] * 2
    now[0] = 61.0
    assert tally.add("a", right=True, session="the last")
    assert [session for _, session in tally._recent] == ["the last"]


def test_no_answer_is_lost_among_threads(monkeypatch):
    monkeypatch.setattr(module, "MAX_PER_MINUTE", 1000)
    tally, start = Tally(["a"]), threading.Barrier(8)

    def answer(right):
        start.wait()
        for _ in range(50):
            tally.add("a", right=right, session="s")

    threads = [threading.Thread(target=answer, args=(k % 2 == 0,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tally.read("a") == Count(200, 400)
