import math

import numpy as np
import pytest
import torch

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams, apply, as_field
from tests import tiny

CONFIG = FieldConfig(width=8, depth=4, n_freqs=3, max_log2_freq=2.0, density_scale=7.0)


def points(batch, n=11, dtype=torch.float32):
    return torch.rand(batch, n, 3, generator=torch.Generator().manual_seed(3), dtype=dtype) * 2 - 1


def field_by_hand(config, params, point):
    """One point of one field, from the definition, in Python's floats."""
    exponents = np.linspace(0, config.max_log2_freq, config.n_freqs)
    x = list(point)
    for function in (math.sin, math.cos):
        x += [function(c * math.pi * 2**k) for c in point for k in exponents]
    x = np.array(x)
    depth = len(params.weights)
    for layer in range(depth):
        weight, bias = params.weights[layer][0].numpy(), params.biases[layer][0].numpy()
        x = np.array([x @ weight[:, o] + bias[o] for o in range(len(bias))], dtype=np.float64)
        if layer < depth - 1:
            x = np.sqrt(2) * np.maximum(x, 0)
    density = config.density_scale * math.log(1 + math.exp(x[0]))
    return density, [1 / (1 + math.exp(-c)) for c in x[1:]]


def test_agrees_with_the_definition():
    params = tiny.params(CONFIG, batch=2, dtype=torch.float64)
    where = points(2, dtype=torch.float64)
    density, rgb = apply(CONFIG, params, where)
    assert density.shape == (2, 11) and rgb.shape == (2, 11, 3)
    assert density.std() > 0.1 and rgb.std() > 0.05
    for b in range(2):
        for n in range(11):
            sigma, colour = field_by_hand(CONFIG, params[b], where[b, n].tolist())
            assert density[b, n].item() == pytest.approx(sigma, abs=1e-5)
            assert rgb[b, n].tolist() == pytest.approx(colour, abs=1e-5)


def test_single_precision_is_enough():
    exact = apply(CONFIG, tiny.params(CONFIG, dtype=torch.float64), points(1).double())
    params = tiny.params(CONFIG, dtype=torch.float64).to("cpu", dtype=torch.float32)
    for fast, reference in zip(apply(CONFIG, params, points(1)), exact, strict=True):
        np.testing.assert_allclose(fast, reference, atol=1e-4)


def test_gradient_by_finite_differences():
    config = FieldConfig(width=5, depth=3, n_freqs=2, max_log2_freq=1.0)
    params = tiny.params(config, dtype=torch.float64)
    where = points(1, 2, dtype=torch.float64)
    tensors = [t.clone().requires_grad_() for t in (*params.weights, *params.biases, where)]

    def rendered(*given):
        return apply(config, InrParams(given[:3], given[3:-1]), given[-1])

    assert torch.autograd.gradcheck(rendered, tensors, eps=1e-6, atol=1e-5)


def test_fields_of_a_batch_do_not_mix():
    params, where = tiny.params(batch=3), points(3)
    together = apply(tiny.FIELD, params, where)
    for index in range(3):
        alone = apply(tiny.FIELD, params[index], where[index : index + 1])
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a[0], b[index])
    assert not torch.allclose(together[0][0], together[0][1])


def test_nothing_is_kept_and_nothing_is_changed():
    first, second, where = tiny.params(seed=1), tiny.params(seed=2), points(1)
    before = [t.clone() for t in (*first.weights, *first.biases, where)]
    a = apply(tiny.FIELD, first, where)
    apply(tiny.FIELD, second, where)
    again = apply(tiny.FIELD, first, where)
    for x, y in zip(a, again, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=0)
    for x, y in zip((*first.weights, *first.biases, where), before, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=0)


def test_ranges_hold_for_wild_weights():
    params = tiny.params()
    wild = InrParams(tuple(100 * w for w in params.weights), params.biases)
    density, rgb = apply(tiny.FIELD, wild, points(1, 500))
    assert density.min() >= 0 and torch.isfinite(density).all() and density.max() > 1e4
    assert rgb.min() >= 0 and rgb.max() <= 1


def test_as_field_is_one_of_them():
    params, where = tiny.params(batch=2), points(1)
    density, rgb = as_field(tiny.FIELD, params[1])(where[0])
    expected = apply(tiny.FIELD, params[1], where)
    assert density.shape == (11,) and rgb.shape == (11, 3)
    torch.testing.assert_close((density, rgb), (expected[0][0], expected[1][0]))
    assert as_field(tiny.FIELD, params[1])(where[0, :0])[0].shape == (0,)


def test_a_batch_and_a_misfit_are_refused():
    with pytest.raises(ValueError, match="a batch of 2"):
        as_field(tiny.FIELD, tiny.params(batch=2))
    with pytest.raises(ValueError, match=r"an INR of layers \(\(63, 128\)"):
        apply(FieldConfig(), tiny.params(), points(1))


def test_many_points_in_parts():
    """More points than one part holds, and a last part that is short."""
    params, where = tiny.params(), points(1, 9001)
    expected = apply(tiny.FIELD, params, where)
    found = as_field(tiny.FIELD, params)(where[0])
    torch.testing.assert_close(found, (expected[0][0], expected[1][0]), atol=1e-5, rtol=1e-5)


def test_nodes_of_a_grid_are_its_points():
    params, axis = tiny.params(CONFIG), torch.linspace(-1, 1, 20)
    nodes = torch.randint(0, 20, (5000, 3), generator=torch.Generator().manual_seed(5))
    density, rgb = apply(CONFIG, params, axis[nodes][None])
    assert density.std() > 0.1
    found = as_field(CONFIG, params).at_nodes(axis, nodes)
    torch.testing.assert_close(found, (density[0], rgb[0]), atol=1e-4, rtol=1e-4)
    assert as_field(CONFIG, params).at_nodes(axis, nodes[:0])[1].shape == (0, 3)


def test_evaluating_changes_neither_weights_nor_points():
    params, where = tiny.params(), points(1)
    before = [t.clone() for t in (*params.weights, *params.biases, where)]
    field = as_field(tiny.FIELD, params)
    field(where[0])
    field.at_nodes(torch.linspace(-1, 1, 4), torch.tensor([[0, 1, 2]]))
    for x, y in zip((*params.weights, *params.biases, where), before, strict=True):
        torch.testing.assert_close(x, y, rtol=0, atol=0)
