import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from hyperdemo.inr.windows import WindowJoiner, WindowPlan

RATES = (8000, 11025, 16000, 22050, 44100, 48000)
# Seconds of a window and of its overlap: a common pair, thirds, no overlap, half of the window.
SPANS = [(1.0, 0.05), (Fraction(1, 3), Fraction(1, 30)), (0.7, 0.0), (0.02, 0.01), (0.0337, 0.0101)]


def plans():
    return [WindowPlan(5, window_s, overlap_s) for window_s, overlap_s in SPANS]


def in_samples(n, *, window, overlap):
    """The plan that covers n samples, all lengths in samples."""
    return WindowPlan.covering(n, rate_hz=1, window_s=window, overlap_s=overlap)


def joined_by_hand(plan, windows, *, rate_hz, n):
    """Sample by sample: which windows contain its time, and the mean of them by their fades."""
    out = np.zeros(n)
    for i in range(n):
        t, total = Fraction(i, rate_hz), 0.0
        for k in range(plan.n_windows):
            into = t - k * (plan.window_s - plan.overlap_s)
            if not 0 <= into < plan.window_s:
                continue
            left, weight = plan.window_s - into, 1.0
            if k > 0 and into < plan.overlap_s:
                weight = 0.5 - 0.5 * math.cos(math.pi * into / plan.overlap_s)
            if k + 1 < plan.n_windows and left <= plan.overlap_s:
                weight = 0.5 - 0.5 * math.cos(math.pi * left / plan.overlap_s)
            out[i] += weight * windows[k, i - plan.first_sample(k, rate_hz=rate_hz)]
            total += weight
        assert total == pytest.approx(1.0, abs=1e-12)
    return out


@pytest.mark.parametrize("n", [0, 1, 99, 100, 101, 190, 191, 1234])
@pytest.mark.parametrize("overlap", [0, 1, 10, 37, 50])
def test_windows_of_samples(n, overlap):
    samples = torch.randn(n)
    plan = in_samples(n, window=100, overlap=overlap)
    windows = plan.split(samples, rate_hz=1)
    hop = 100 - overlap
    assert windows.shape == (1 + max(0, math.ceil((n - 100) / hop)), 100)
    for k, window in enumerate(windows):
        part = samples[k * hop : k * hop + 100]
        assert torch.equal(window[: len(part)], part) and not window[len(part) :].any()
    assert torch.equal(plan.join(windows, rate_hz=1, n=n), samples)


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("plan", plans())
def test_identity_at_any_rate(plan, rate_hz):
    samples = torch.randn(plan.n_samples(rate_hz=rate_hz) - 1)
    windows = plan.split(samples, rate_hz=rate_hz)
    assert windows.shape == (5, plan.window_samples(rate_hz=rate_hz))
    assert torch.equal(plan.join(windows, rate_hz=rate_hz, n=len(samples)), samples)


@pytest.mark.parametrize("rate_hz", [200, 1103])
@pytest.mark.parametrize("plan", [*plans(), WindowPlan(1, 0.7, 0.1)])
def test_joining_agrees_with_the_slow_way(plan, rate_hz):
    n = plan.n_samples(rate_hz=rate_hz)
    windows = torch.randn(plan.n_windows, plan.window_samples(rate_hz=rate_hz), dtype=torch.float64)
    joined = plan.join(windows, rate_hz=rate_hz)
    np.testing.assert_allclose(
        joined, joined_by_hand(plan, windows.numpy(), rate_hz=rate_hz, n=n), atol=1e-12
    )
    weights = plan.weights(rate_hz=rate_hz, dtype=torch.float64)
    summed = torch.zeros(n + 1, dtype=torch.float64)
    for k in range(plan.n_windows):
        first = plan.first_sample(k, rate_hz=rate_hz)
        slots = slice(first, first + windows.shape[1])
        summed[slots] += (weights * windows)[k][: len(summed[slots])]
    np.testing.assert_allclose(joined, summed[:n], atol=1e-12)


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize("plan", plans())
def test_weights_sum_to_exactly_one(plan, rate_hz):
    for dtype in (torch.float32, torch.float64):
        weights = plan.weights(rate_hz=rate_hz, dtype=dtype)
        total = torch.zeros(plan.n_samples(rate_hz=rate_hz) + 1, dtype=dtype)
        for k, row in enumerate(weights):
            first = plan.first_sample(k, rate_hz=rate_hz)
            total[first : first + len(row)] += row[: len(total) - first]
        assert (total[:-1] == 1).all() and total[-1] == 0
        assert weights.min() >= 0 and weights[0, 0] == 1


@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000])
def test_the_time_grid_is_exact_after_ten_hours(rate_hz):
    plan = WindowPlan(40_000, 0.95, 0.03)
    for index in (0, 1, 2, 3, 777, 39_999):
        start = Fraction(index) * Fraction(92, 100)
        first = plan.first_sample(index, rate_hz=rate_hz)
        assert first == math.ceil(start * rate_hz)
        found = plan.coordinates(index, rate_hz=rate_hz, dtype=torch.float64)
        assert len(found) == math.ceil(Fraction(95, 100) * rate_hz)
        slots = [*range(0, len(found), 997), len(found) - 1]
        exact = [2 * (Fraction(first + j, rate_hz) - start) / Fraction(95, 100) - 1 for j in slots]
        np.testing.assert_allclose(found[slots], np.array(exact, dtype=float), atol=1e-15)
        step = 2 / 0.95 / rate_hz
        assert -1 <= found[0] < -1 + step and 1 - step - 1e-12 <= found[-1] < 1 + step
        single = plan.coordinates(index, rate_hz=rate_hz)
        assert single.dtype == torch.float32
        np.testing.assert_allclose(single, found, atol=6e-8)


@pytest.mark.parametrize("rate_hz", [4410, 8000, 11025])
@pytest.mark.parametrize("plan", plans())
def test_a_stream_is_the_whole_bit_for_bit(plan, rate_hz):
    span = plan.n_samples(rate_hz=rate_hz)
    windows = torch.randn(5, plan.window_samples(rate_hz=rate_hz))
    for n in (None, span, span - 1, span // 2, 3, 0):
        joiner = WindowJoiner(plan, rate_hz=rate_hz, n=n)
        parts = [joiner.push(window) for window in windows]
        for k, part in enumerate(parts):  # as soon as they are final
            final = plan.first_sample(k + 1, rate_hz=rate_hz)
            assert sum(map(len, parts[: k + 1])) == min(final, span if n is None else n)
            assert part.dtype == torch.float32
        parts.append(joiner.finish())
        assert torch.equal(torch.cat(parts), plan.join(windows, rate_hz=rate_hz, n=n))
        assert len(joiner.finish()) == 0


def test_a_broken_off_stream_ends_with_what_came():
    plan = WindowPlan(4, 100, 20)
    windows = torch.randn(4, 100)
    joiner = WindowJoiner(plan, rate_hz=1)
    parts = [joiner.push(windows[0]), joiner.push(windows[1]), joiner.finish()]
    whole = WindowPlan(2, 100, 20).join(windows[:2], rate_hz=1, n=180)
    assert torch.equal(torch.cat(parts), whole)
    with pytest.raises(ValueError, match="got one more"):
        joiner.push(windows[2])


def test_gradients_flow_to_the_windows_by_their_weights():
    windows = torch.randn(3, 10, dtype=torch.float64, requires_grad=True)
    plan = WindowPlan(3, 10, 4)
    plan.join(windows, rate_hz=1, n=22).sum().backward()
    weights = plan.weights(rate_hz=1, dtype=torch.float64)
    np.testing.assert_allclose(windows.grad, weights, atol=1e-15)


def test_plans_cover_a_clip():
    for n, rate_hz, expected in [
        (0, 16000, 1), (16000, 16000, 1), (16001, 16000, 2), (31200, 16000, 2), (31201, 16000, 3),
        (44100, 44100, 1), (85995, 44100, 2), (85996, 44100, 3),
    ]:  # fmt: skip
        plan = WindowPlan.covering(n, rate_hz=rate_hz, window_s=1.0, overlap_s=0.05)
        assert plan.n_windows == expected
        assert plan.n_samples(rate_hz=rate_hz) >= n
    assert WindowPlan(2, 1.0, 0.05) == WindowPlan(2, 1, Fraction(1, 20))
    assert hash(WindowPlan(2, 1.0, 0.05)) == hash(WindowPlan(2, 1, Fraction(1, 20)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: WindowPlan(0, 1.0, 0.1), "at least one window, got 0"),
        (lambda: WindowPlan(1, 0.0, 0.0), "above 0 s"),
        (lambda: WindowPlan(1, 1.0, 0.6), "at most half of it, got 1 s and 0.6 s"),
        (lambda: WindowPlan(1, 1.0, -0.1), "at most half"),
        (lambda: WindowPlan(1, math.nan, 0.1), "finite window_s"),
        (lambda: WindowPlan(1, 1.0, 0.1).first_sample(0, rate_hz=0), "at least 1 Hz"),
        (lambda: in_samples(5, window=4, overlap=3), "at most half"),
        (lambda: WindowJoiner(WindowPlan(2, 10, 2), rate_hz=1, n=19), "0 to 18 samples.*got 19"),
        (lambda: WindowJoiner(WindowPlan(2, 10, 2), rate_hz=1, n=-1), "got -1"),
        (lambda: WindowPlan(3, 10, 2).join(torch.zeros(2, 10), rate_hz=1), "3 windows, got 2"),
        (lambda: WindowPlan(2, 10, 2).join(torch.zeros(2, 9), rate_hz=1), r"of 10 .*got \[9\]"),
        (lambda: WindowJoiner(WindowPlan(3, 10, 2), rate_hz=1).finish(), "push it first"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
