import copy

import pytest
import torch
from torch import nn

from hyperdemo.backbones import add_low_rank, build_vit, build_whisper
from tests import tiny


def vit():
    torch.manual_seed(0)
    return build_vit(tiny.BACKBONE), torch.rand(2, 3, 28, 28), torch.randn(2, 4, 48)


def whisper():
    torch.manual_seed(0)
    wave = 0.1 * torch.randn(2, tiny.WHISPER.window)
    return build_whisper(tiny.WHISPER), wave, torch.randn(2, 2 * tiny.WHISPER.n_patches, 24)


@pytest.mark.parametrize("build", [vit, whisper])
@torch.no_grad()
def test_it_starts_as_what_it_adapts_and_adds_what_the_formula_says(build):
    encoder, media, extra = build()
    adapted = copy.deepcopy(encoder)
    added = add_low_rank(adapted.blocks, rank=3)
    torch.testing.assert_close(adapted(media, extra), encoder(media, extra), rtol=0, atol=0)

    for parameter in added:
        parameter += 0.1 * torch.randn_like(parameter)
    # The reference: the same encoder with W + (8 / 3)·B·A in its matrices, computed in float64.
    merged = copy.deepcopy(encoder)
    for name, module in adapted.blocks.named_modules():
        if hasattr(module, "parametrizations"):
            low = module.parametrizations.weight[0]
            plain = merged.blocks.get_submodule(name)
            sum_ = plain.weight.double() + 8 / 3 * low.up.double() @ low.down.double()
            plain.weight.copy_(sum_)
    after = adapted(media, extra)
    torch.testing.assert_close(after, merged(media, extra), rtol=1e-4, atol=1e-5)
    assert (after - encoder(media, extra)).abs().max() > 1e-3


def test_only_the_additions_train():
    encoder, media, extra = whisper()
    added = add_low_rank(encoder.blocks, rank=2)
    assert {id(p) for p in encoder.blocks.parameters() if p.requires_grad} == set(map(id, added))
    # query, key, value and out are 24 × 24, the MLP's maps 24 × 96, in each of two blocks
    assert sum(p.numel() for p in added) == 2 * 2 * (4 * 48 + 2 * 120)
    encoder(media, extra).square().sum().backward()
    # B is zero, so that A has no gradient in the first step, and B has one.
    assert all((p.grad.abs().max() > 0) == (i % 2 == 1) for i, p in enumerate(added))


def test_refusals():
    with pytest.raises(ValueError, match="a rank of at least 1 expected, got 0"):
        add_low_rank(nn.Linear(2, 2), rank=0)
    with pytest.raises(ValueError, match="linear maps expected, got none"):
        add_low_rank(nn.LayerNorm(2), rank=1)
