import dataclasses

import pytest
import torch

from hyperdemo.inr import ModulatedInrs


def normal(*shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


# Three INRs of layers 5 → 6 → 2 with groups of 2 and 1.
PLAIN = ModulatedInrs(
    base=(normal(5, 6), normal(6, 2)),
    biases=(normal(6), normal(2)),
    masks=(normal(3, 5, 2), normal(3, 6, 1)),
    gains=normal(3).exp(),
    unit_output=True,
)
SHIFTED = dataclasses.replace(PLAIN, shifts=(normal(3, 6), normal(3, 2)), unit_output=False)
# A product of rank 2 between two layers that are the same for all.
COMPOSED = ModulatedInrs(
    base=(normal(5, 6), normal(2, 6), normal(6, 3)),
    biases=(normal(6), normal(6), normal(3)),
    masks=(torch.empty(3, 5, 0), normal(3, 6, 2), torch.empty(3, 6, 0)),
    gains=normal(3).exp(),
    unit_output=True,
    composed=True,
)
ALL = pytest.mark.parametrize(
    "made", [PLAIN, SHIFTED, COMPOSED], ids=["masks", "shifts", "product"]
)


def layer_by_the_definition(made, n, layer):
    base, mask = made.base[layer], made.masks[layer][n]
    groups, outputs = mask.shape[1], base.shape[1]
    if made.composed and groups:
        weight = torch.einsum("ig,go->io", mask, base)
    elif groups:
        columns = [base[:, o] * mask[:, o * groups // outputs] for o in range(outputs)]
        weight = torch.stack(columns, dim=1)
    else:
        weight = base
    last = layer == len(made.base) - 1
    if made.unit_output or not last:
        weight = weight / weight.square().sum(0).sqrt()
    bias = made.biases[layer] + (made.shifts[layer][n] if made.shifts else 0)
    gain = made.gains[n] if last else 1.0
    return gain * weight, gain * bias


@ALL
def test_weights_by_the_definition(made):
    params = made.params()
    assert len(made) == len(params) == 3
    for n in range(3):
        for layer, found in enumerate(zip(params.weights, params.biases, strict=True)):
            expected = layer_by_the_definition(made, n, layer)
            torch.testing.assert_close(tuple(t[n] for t in found), expected)


@ALL
def test_parts_and_their_join(made):
    again = ModulatedInrs.join([made[:1], made[1:]])
    torch.testing.assert_close(vars(again), vars(made), rtol=0, atol=0)
    assert len(made[1:]) == 2


def test_no_part_is_refused():
    with pytest.raises(ValueError, match="at least one part expected"):
        ModulatedInrs.join([])


@ALL
def test_louder_multiplies_the_output(made):
    factors = torch.tensor([2.0, 1.0, 0.0])
    louder, before = made.louder(factors).params(), made.params()
    assert torch.equal(louder.weights[0], before.weights[0])
    for now, was in ((louder.weights, before.weights), (louder.biases, before.biases)):
        torch.testing.assert_close(now[-1], torch.einsum("n...,n->n...", was[-1], factors))


@pytest.mark.parametrize(
    ("made", "n_written", "n_shared"),
    [
        (PLAIN, 3 * (5 * 2 + 6 * 1 + 1), 5 * 6 + 6 + 6 * 2 + 2),
        (SHIFTED, 3 * (5 * 2 + 6 * 1 + 1 + 6 + 2), 5 * 6 + 6 + 6 * 2 + 2),
        (COMPOSED, 3 * (6 * 2 + 1), 5 * 6 + 6 + 2 * 6 + 6 + 6 * 3 + 3),
    ],
)
def test_how_many_numbers(made, n_written, n_shared):
    assert (made.n_written, made.n_shared) == (n_written, n_shared)
