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


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float64, 1e-5), (torch.float32, 1e-4)])
def test_agrees_with_the_definition(dtype, atol):
    params = tiny.params(CONFIG, batch=2, dtype=dtype)
    where = points(2, dtype=dtype)
    density, rgb = apply(CONFIG, params, where)
    assert density.shape == (2, 11) and rgb.shape == (2, 11, 3)
    assert density.std() > 0.1 and rgb.std() > 0.05
    for b in range(2):
        for n in range(11):
            sigma, colour = field_by_hand(CONFIG, params[b], where[b, n].tolist())
            assert density[b, n].item() == pytest.approx(sigma, abs=atol)
            assert rgb[b, n].tolist() == pytest.approx(colour, abs=atol)


def test_gradient_by_finite_differences():
    config = FieldConfig(width=5, depth=3, n_freqs=2, max_log2_freq=1.0)
    params = tiny.params(config, dtype=torch.float64)
    where = points(1, 2, dtype=torch.float64)
    tensors = [t.clone().requires_grad_() for t in (*params.weights, *params.biases, where)]

    def rendered(*given):
        return apply(config, InrParams(given[:3], given[3:-1]), given[-1])

    assert torch.autograd.gradcheck(rendered, tensors, eps=1e-6, atol=1e-5)


def test_ranges_hold_for_wild_weights():
    params = tiny.params()
    wild = InrParams(tuple(100 * w for w in params.weights), params.biases)
    density, rgb = apply(tiny.FIELD, wild, points(1, 500))
    assert density.min() >= 0 and torch.isfinite(density).all() and density.max() > 1e4
    assert rgb.min() >= 0 and rgb.max() <= 1


def test_a_batch_and_a_misfit_are_refused():
    with pytest.raises(ValueError, match="a batch of 2"):
        as_field(tiny.FIELD, tiny.params(batch=2))
    with pytest.raises(ValueError, match=r"an INR of layers \(\(63, 128\)"):
        apply(FieldConfig(), tiny.params(), points(1))


@pytest.mark.parametrize("n", [0, 11, 9001])  # the last in parts, of which one is short
def test_a_field_is_the_same_function(n):
    params, where = tiny.params(batch=2)[1], points(1, n)
    density, rgb = apply(tiny.FIELD, params, where)
    found = as_field(tiny.FIELD, params)(where[0])
    torch.testing.assert_close(found, (density[0], rgb[0]), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n", [0, 5000])
def test_nodes_of_a_grid_are_its_points(n, generator):
    params, axis = tiny.params(CONFIG), torch.linspace(-1, 1, 20)
    nodes = torch.randint(0, 20, (n, 3), generator=generator)
    density, rgb = apply(CONFIG, params, axis[nodes][None])
    found = as_field(CONFIG, params).at_nodes(axis, nodes)
    torch.testing.assert_close(found, (density[0], rgb[0]), atol=1e-4, rtol=1e-4)


def test_evaluating_changes_nothing_and_keeps_nothing():
    params, other, where = tiny.params(seed=1), tiny.params(seed=2), points(1)
    before = [t.clone() for t in (*params.weights, *params.biases, where)]
    first = apply(tiny.FIELD, params, where)
    apply(tiny.FIELD, other, where)
    field = as_field(tiny.FIELD, params)
    field(where[0])
    field.at_nodes(torch.linspace(-1, 1, 4), torch.tensor([[0, 1, 2]]))
    torch.testing.assert_close(apply(tiny.FIELD, params, where), first, rtol=0, atol=0)
    after = [*params.weights, *params.biases, where]
    torch.testing.assert_close(after, before, rtol=0, atol=0)
