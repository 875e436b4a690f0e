import threading

import numpy as np
import pytest

from hyperdemo.pipeline.kept import Kept, n_bytes
from hyperdemo.render.bake import BakedField
from tests import tiny


def test_a_value_is_made_once_and_nothing_is_a_value_too():
    kept, made = Kept(100), []
    for _ in range(3):
        assert kept.get("a", lambda: made.append(1) or b"value") == b"value"
        assert kept.get("b", lambda: made.append(2)) is None
    assert made == [1, 2] and kept.n_bytes == 5


def test_what_was_used_longest_ago_goes_first():
    kept = Kept(10)
    kept.get("a", lambda: b"aaaa")
    kept.get("b", lambda: b"bbbb")
    kept.get("a", lambda: pytest.fail("a is still there"))
    kept.get("c", lambda: b"cccc")
    assert kept.n_bytes == 8
    assert kept.get("a", lambda: b"new") == b"aaaa"
    assert kept.get("b", lambda: b"new") == b"new"


def test_a_value_too_large_is_returned_and_not_kept():
    kept = Kept(10)
    assert kept.get("a", lambda: bytes(11)) == bytes(11)
    assert kept.n_bytes == 0


def test_of_two_that_were_made_at_once_both_askers_get_the_first():
    kept = Kept(100)

    def overtaken():
        assert kept.get("a", lambda: b"first") == b"first"
        return b"second"

    assert kept.get("a", overtaken) == b"first"


def test_sizes():
    params = tiny.params()
    assert n_bytes(params) == 4 * params.n_parameters
    baked = BakedField(np.zeros((8, 8, 8, 4), np.float32), np.zeros((2, 2, 2), np.uint8), 0)
    assert n_bytes(baked) == 8**3 * 16 + 8
    with pytest.raises(TypeError, match="bytes or None expected"):
        n_bytes("text")


def test_many_threads():
    kept, failures = Kept(64), []

    def visit(seed):
        rng = np.random.default_rng(seed)
        for number in rng.integers(0, 20, 300):
            value = kept.get(int(number), lambda n=number: bytes([n]) * 8)
            if value != bytes([number]) * 8 or kept.n_bytes > 64:
                failures.append(number)

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
