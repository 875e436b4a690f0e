import numpy as np

from hyperdemo.preprocess import Prepared
from hyperdemo.ui.object.cuts import Cut, HeldCuts


def cut(path="a.png", side=10):
    rgba = np.zeros((side, side, 4), np.uint8)
    found = Prepared(
        rgba, np.zeros((side, side), np.float32), "alpha", np.zeros((8, 8, 3), np.uint8)
    )
    return Cut(path, "digest", rgba, found)


SIZE = 10 * 10 * (4 + 4 + 4) + 8 * 8 * 3  # bytes of the arrays


def test_each_visitor_holds_their_own():
    held = HeldCuts()
    one, other = held.hold(cut("a.png")), held.hold(cut("b.png"))
    assert one != other and held.n_bytes == 2 * SIZE
    assert (held.find(one).path, held.find(other).path) == ("a.png", "b.png")
    assert held.find(None) is None and held.find("guessed") is None


def test_all_together_are_bounded_and_the_least_used_goes_first():
    held = HeldCuts(max_bytes=3 * SIZE)
    first, second, third = (held.hold(cut(str(k))) for k in range(3))
    assert held.find(first).path == "0"
    held.hold(cut("3"))
    assert held.find(second) is None and held.find(first) and held.find(third)
    assert held.n_bytes == 3 * SIZE
    assert held.find(held.hold(cut(side=100))) is None  # larger than all there is room for


def test_what_waits_too_long_is_let_go_and_use_prolongs_it():
    now = [0.0]
    held = HeldCuts(max_wait_s=100.0, timer=lambda: now[0])
    used, left = held.hold(cut()), held.hold(cut())
    now[0] = 90.0
    assert held.find(used)
    now[0] = 150.0
    assert held.find(used) and held.find(left) is None and held.n_bytes == SIZE
    held.drop(used)
    held.drop(used)
    assert held.find(used) is None and held.n_bytes == 0
