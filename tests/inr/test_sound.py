import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from hyperdemo.config import SoundFieldConfig
from hyperdemo.inr import InrParams, sound, sound_of_stretches, stretch_plan
from hyperdemo.inr.sound import angular_frequencies
from tests import tiny

CONFIG = SoundFieldConfig(
    stretch=4000, width=8, depth=3, n_freqs=4, min_freq_hz=50.0, max_freq_hz=200.0, scale=0.3
)


def times(batch, n=13):
    generator = torch.Generator().manual_seed(3)
    return (torch.rand(batch, n, generator=generator, dtype=torch.float64) - 0.5) * 0.25


def amplitude_by_hand(config, params, second, hz):
    """One moment of one field, from the definition, in Python's floats."""
    x = [second / (4000 / 16000 / 2)]
    x += [math.sin(2 * math.pi * f * second) for f in hz]
    x += [math.cos(2 * math.pi * f * second) for f in hz]
    for layer, (weight, bias) in enumerate(zip(params.weights, params.biases, strict=True)):
        if layer:
            x = [math.sqrt(2) * max(value, 0.0) for value in x]
        w, b = weight[0].tolist(), bias[0].tolist()
        x = [sum(x[i] * w[i][o] for i in range(len(x))) + b[o] for o in range(len(b))]
    return config.scale * x[0]


@pytest.mark.parametrize(
    ("spacing", "hz"),
    [("linear", [50, 100, 150, 200]), ("log", [50 * 4 ** (k / 3) for k in range(4)])],
)
def test_agrees_with_the_definition(spacing, hz):
    config = replace(CONFIG, spacing=spacing)
    np.testing.assert_allclose(angular_frequencies(config) / (2 * math.pi), hz, rtol=1e-5)
    params = tiny.params(config, batch=2, dtype=torch.float64)
    where = times(2)
    found = sound(config, params, where)
    assert found.shape == (2, 13) and found.std() > 0.05
    for b in range(2):
        for n in range(13):
            by_hand = amplitude_by_hand(config, params[b], where[b, n].item(), hz)
            assert found[b, n].item() == pytest.approx(by_hand, abs=1e-4)


def test_single_precision_is_enough_at_the_edge_of_a_long_stretch():
    config = SoundFieldConfig(stretch=16000, width=32, n_freqs=64, max_freq_hz=8000.0)
    params = tiny.params(config)
    double = InrParams(*(tuple(t.double() for t in ts) for ts in (params.weights, params.biases)))
    where = torch.linspace(0.45, 0.5, 500, dtype=torch.float64)[None]
    exact = sound(config, double, where)
    assert (sound(config, params, where.float()) - exact).abs().max() < 2e-3 * exact.abs().max()


def test_fields_may_share_their_times():
    params, where = tiny.params(CONFIG, batch=3), times(1).float()
    each = sound(CONFIG, params, where.expand(3, -1))
    torch.testing.assert_close(sound(CONFIG, params, where), each, rtol=0, atol=0)


def test_stretches_are_joined_as_windows_are():
    """Against the join of one window after another."""
    config = SoundFieldConfig(stretch=480, overlap=80, width=8, n_freqs=4)
    params = tiny.params(config, batch=6)
    joined = sound_of_stretches(config, params, n_stretches=3)
    plan = stretch_plan(config, 3)
    assert joined.shape == (2, 1280) and plan.n_samples(rate_hz=16_000) == 1280
    # Sample i of a stretch stands i / 16000 s after its start, times count from its middle.
    seconds = (torch.arange(480) - 240) / 16_000
    for found, waves in zip(joined, sound(config, params, seconds[None]).split(3), strict=True):
        expected = plan.join(waves, rate_hz=16_000)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_gradient_by_finite_differences():
    config = SoundFieldConfig(width=5, depth=3, n_freqs=2, min_freq_hz=2.0, max_freq_hz=5.0)
    params = tiny.params(config, dtype=torch.float64)
    tensors = [t.clone().requires_grad_() for t in (*params.weights, *params.biases)]

    def heard(*given):
        return sound(config, InrParams(given[:3], given[3:]), times(1, 3))

    assert torch.autograd.gradcheck(heard, tensors, eps=1e-6, atol=1e-5)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="an INR of layers .* expected, got"):
        sound(SoundFieldConfig(), tiny.params(CONFIG), times(1).float())
