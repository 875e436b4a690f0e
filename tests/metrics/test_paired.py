import numpy as np
import pytest
import scipy.stats

from hyperdemo.metrics.paired import Paired, paired_difference


def test_it_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    first, second = rng.normal(1.0, 2.0, 20), rng.normal(0.0, 2.0, 20)
    found = paired_difference(first.tolist(), second.tolist())
    expected = scipy.stats.ttest_rel(first, second).statistic
    assert found.mean / found.stderr == pytest.approx(expected)
    assert found.better == (first > second).sum() and found.n == 20


@pytest.mark.parametrize(
    ("mean", "stderr", "higher", "expected"),
    [(1.0, 0.49, True, 1), (1.0, 0.5, True, 0), (-1.0, 0.4, True, -1), (1.0, 0.4, False, -1),
     (-1.0, 0.4, False, 1), (1.0, None, True, 0)],
)  # fmt: skip
def test_ahead_is_by_more_than_two_standard_errors(mean, stderr, higher, expected):
    assert Paired(mean, stderr, 3, 5).ahead(higher=higher) == expected


def test_lower_may_be_better_and_ties_are_nobodys():
    found = paired_difference([1.0, 2.0, 3.0], [2.0, 2.0, 5.0], higher=False)
    assert (found.mean, found.better, found.n) == (-1.0, 2, 3)
    assert paired_difference([1.0], [0.0]).stderr is None


def test_what_cannot_be_paired_is_refused():
    with pytest.raises(ValueError):
        paired_difference([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="at least one pair"):
        paired_difference([], [])
