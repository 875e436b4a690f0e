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


def test_parts_and_their_join():
    made = inrs()
    again = ModulatedInrs.join([made[:1], made[1:]])
    for one, other in zip(again.params().weights, made.params().weights, strict=True):
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
