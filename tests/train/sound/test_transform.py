import dataclasses

import numpy as np
import pytest
import torch

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.inr.sound import sound
from tests import tiny
from tests.train.sound.test_baselines import noises
from train.sound.rates import write
from train.sound.transform import (
    decode,
    encode,
    fit_transform,
    numbers_of,
    sensitivity,
    transformed,
    with_numbers,
)


@pytest.fixture(scope="module")
def written():
    """What a tiny model writes for a noise, in float64."""

    whole = write(
        LoadedModel("sound-x", tiny.sound_model(), {}), noises(1).sound(0).numpy()[:9_000]
    )
    inrs = whole.inrs
    names = ("base", "biases", "masks")
    double = {n: tuple(t.detach().double() for t in getattr(inrs, n)) for n in names}
    return whole.config, dataclasses.replace(inrs, gains=inrs.gains.double(), **double)


def waves(config, inrs):
    """Samples of every stretch, at a gain of 1."""
    n = config.stretch
    seconds = torch.linspace(-(n - 1) / 2, (n - 1) / 2, n, dtype=torch.float64)[None] / 16_000
    return sound(
        config, dataclasses.replace(inrs, gains=torch.ones_like(inrs.gains)).params(), seconds
    )


def test_sensitivity_is_that_of_central_differences(written):
    config, inrs = written
    some, h = inrs[:2], 1e-6
    numbers = numbers_of(some)
    columns = []
    for k in range(numbers.shape[1]):
        moved = torch.zeros_like(numbers)
        moved[:, k] = h
        up, down = (waves(config, with_numbers(some, numbers + s * moved)) for s in (1, -1))
        columns.append((up - down) / (2 * h))
    jacobian = torch.stack(columns, -1)
    expected = (jacobian.mT @ jacobian).mean(0) / waves(config, some).square().sum(1).mean()
    torch.testing.assert_close(sensitivity(config, some), expected, rtol=1e-4, atol=1e-7)


def test_coefficients_are_uncorrelated_and_come_back(written):
    config, inrs = written
    transform = fit_transform(config, [inrs[:10], inrs[10:]], probes=8)
    numbers = numbers_of(inrs)
    found = transform.coefficients(numbers)
    torch.testing.assert_close(transform.coefficients(transform.numbers(found)), found)
    covariance = found.T @ found / len(found)
    off = covariance - covariance.diag().diag()
    assert off.abs().max() < 1e-6 * covariance.max()
    torch.testing.assert_close(transform.spread, found.abs().mean(0))


def test_a_coefficient_s_change_is_the_waveform_s(written):
    """A root mean square over the networks whose Jacobians were taken."""
    config, inrs = written
    transform = fit_transform(config, [inrs], probes=len(inrs))
    numbers, truth, h = numbers_of(inrs), waves(config, inrs), 1e-6
    for k in (0, len(transform.spread) // 2, len(transform.spread) - 1):
        moved = with_numbers(inrs, numbers + h * transform.backward[k])
        change = (waves(config, moved) - truth).square().sum() / truth.square().sum()
        assert change.sqrt() / h == pytest.approx(1, abs=1e-3)


def test_rounding_makes_the_error_that_it_should(written):
    config, inrs = written
    transform = fit_transform(config, [inrs], probes=len(inrs))
    truth, step = waves(config, inrs), 2e-4
    found, n_bytes = transformed(inrs, transform, step=step)
    error = (waves(config, found) - truth).square().sum() / truth.square().sum()
    n = int((transform.spread > step).sum())  # of the others there is nothing to round
    assert error.sqrt() == pytest.approx(step * (n / 12) ** 0.5, rel=0.3)
    assert n_bytes > transformed(inrs, transform, step=10 * step)[1] > 0


def test_coded_integers_come_back_in_as_many_bits_as_they_hold():
    rng, spread = np.random.default_rng(0), np.array([0.0, 0.3, 2.0, 40.0])
    levels = np.rint(rng.laplace(0, np.maximum(spread, 1e-9), (3_000, 4))).astype(np.int32)
    levels[0] = 5, -7, 300, -2_000  # unlikely, and none is lost
    coded = encode(levels, spread)
    assert np.array_equal(decode(coded, spread, n=3_000), levels)
    # A Laplacian's share of the interval around each integer, in closed form.
    q, b = np.abs(levels[1:, 1:]), spread[1:]
    inside = np.exp(-q / b) * np.sinh(0.5 / b)
    share = np.where(q == 0, 1 - np.exp(-0.5 / b), inside)
    assert 8 * len(coded) == pytest.approx(-np.log2(share).sum(), rel=0.01, abs=200)
