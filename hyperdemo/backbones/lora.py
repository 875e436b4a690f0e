"""Low-rank adaptation: the linear maps of frozen Transformer blocks, each with a small addition.

LoRA (Hu et al. 2021, arXiv 2106.09685): a matrix W stays as it is and W + (alpha / r)·B·A is used,
where A `[r, inputs]` starts at random and B `[outputs, r]` at zero, so that the adapted encoder
starts as the pretrained one.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

ALPHA = 8.0
"""Additions are scaled by ALPHA / rank, so that one learning rate suits all ranks."""


class LowRank(nn.Module):
    """A matrix plus a learned one of low rank, as a parametrization of torch.

    Args:
        outputs, inputs: shape of the matrix.
        rank: r, of the addition.
    """

    def __init__(self, outputs: int, inputs: int, *, rank: int):
        super().__init__()
        self.down = nn.Parameter(torch.randn(rank, inputs) / math.sqrt(inputs))
        self.up = nn.Parameter(torch.zeros(outputs, rank))
        self.scale = ALPHA / rank

    def forward(self, weight: Float[Tensor, "o i"]) -> Float[Tensor, "o i"]:
        return torch.addmm(weight, self.up, self.down, alpha=self.scale)


def add_low_rank(blocks: nn.Module, *, rank: int) -> list[nn.Parameter]:
    """Give every linear map in some blocks an addition of low rank, and freeze the map itself.

    Args:
        blocks: changed in place; attention's and the MLP's maps alike.
        rank: of each addition.

    Returns:
        The new parameters, which alone of the blocks' are left to train.

    Raises:
        ValueError: a rank below 1, or blocks without a linear map.
    """
    if rank < 1:
        raise ValueError(f"a rank of at least 1 expected, got {rank}")
    linear = [module for module in blocks.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError("blocks with linear maps expected, got none")
    blocks.requires_grad_(False)
    added = []
    for module in linear:
        low_rank = LowRank(*module.weight.shape, rank=rank)
        # Unsafe means unchecked: the sum needs no inverse and keeps shape and type.
        parametrize.register_parametrization(module, "weight", low_rank, unsafe=True)
        added += list(low_rank.parameters())
    return added
