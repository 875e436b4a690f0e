import dataclasses
import math

import pytest
import torch

from hyperdemo.inr import ModulatedInrs


def inrs(n=3, *, unit_output=True, seed=0):
    """Layers 5 → 6 → 2 with groups of 2 and 1."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    return ModulatedInrs(
        base=(normal(5, 6), normal(6, 2)),
        biases=(normal(6), normal(2)),
        masks=(normal(n, 5, 2), normal(n, 6, 1)),
        gains=normal(n).exp(),
        unit_output=unit_output,
    )


@pytest.mark.parametrize("unit_output", [True, False])
def test_weights_by_the_definition(unit_output):
    made = inrs(unit_output=unit_output)
    params = made.params()
    assert len(made) == len(params) == 3
    for n in range(3):
        for layer, (inputs, outputs, groups) in enumerate([(5, 6, 2), (6, 2, 1)]):
            for o in range(outputs):
                mask = made.masks[layer][n, :, o * groups // outputs].tolist()
                column = [made.base[layer][i, o].item() * mask[i] for i in range(inputs)]
                length = math.sqrt(sum(v * v for v in column))
                factor = 1.0 if layer == 1 and not unit_output else 1 / length
                bias = made.biases[layer][o].item()
                if layer == 1:
                    factor, bias = (v * made.gains[n].item() for v in (factor, bias))
                expected = torch.tensor([v * factor for v in column])
                torch.testing.assert_close(params.weights[layer][n, :, o], expected)
                assert params.biases[layer][n, o].item() == pytest.approx(bias, rel=1e-5)


def test_composed_layers_are_products_and_the_rest_is_shared():
    generator = torch.Generator().manual_seed(4)
    base = tuple(torch.randn(shape, generator=generator) for shape in ((5, 6), (2, 6), (6, 3)))
    factor = torch.randn(4, 6, 2, generator=generator)
    none = [torch.empty(4, inputs, 0) for inputs in (5, 6)]
    made = ModulatedInrs(
        base=base,
        biases=tuple(torch.zeros(o) for o in (6, 6, 3)),
        masks=(none[0], factor, none[1]),
        gains=torch.ones(4),
        unit_output=True,
        composed=True,
    )
    weights = made.params().weights
    for n in range(4):
        for layer, one in enumerate((base[0], factor[n] @ base[1], base[2])):
            for o in range(one.shape[1]):
                length = math.sqrt(sum(v * v for v in one[:, o].tolist()))
                torch.testing.assert_close(weights[layer][n, :, o], one[:, o] / length)
    assert torch.linalg.matrix_rank(factor[0] @ base[1]) == 2
    assert made.n_written == 4 * (6 * 2 + 1) and made.n_shared == 30 + 12 + 18 + 15
    assert torch.equal(made[2:].params().weights[1], weights[1][2:])


def with_shifts():
    made = inrs()
    return dataclasses.replace(
        made, shifts=tuple(torch.randn(3, len(bias)) for bias in made.biases)
    )


def test_shifts_are_added_to_the_biases():
    made, plain = with_shifts(), inrs().params()
    params = made.params()
    torch.testing.assert_close(params.biases[0], plain.biases[0] + made.shifts[0])
    gained = made.gains[:, None] * made.shifts[1]
    torch.testing.assert_close(params.biases[1], plain.biases[1] + gained)
    assert torch.equal(params.weights[1], plain.weights[1])
    assert made.n_written == inrs().n_written + 3 * (6 + 2)


@pytest.mark.parametrize("make", [inrs, with_shifts])
def test_parts_and_their_join(make):
    made = make()
    again = ModulatedInrs.join([made[:1], made[1:]])
    for one, other in zip(again.params().weights, made.params().weights, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(again.params().biases, made.params().biases, strict=True):
        assert torch.equal(one, other)
    assert len(made[1:]) == 2 and torch.equal(again.gains, made.gains)
    louder = made.louder(torch.tensor([2.0, 1.0, 0.0])).params()
    before = made.params()
    assert torch.equal(louder.weights[0], before.weights[0])
    torch.testing.assert_close(louder.weights[1][0], 2 * before.weights[1][0])
    assert not louder.weights[1][2].any() and not louder.biases[1][2].any()
    with pytest.raises(ValueError, match="at least one part expected"):
        ModulatedInrs.join([])


def test_how_many_numbers():
    made = inrs()
    assert made.n_written == 3 * (5 * 2 + 6 * 1 + 1)
    assert made.n_shared == 5 * 6 + 6 + 6 * 2 + 2
