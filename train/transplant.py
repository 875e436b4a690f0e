"""Part of a pretrained encoder in an otherwise random one: which part of pretraining helps?"""

from __future__ import annotations

import re

import torch
from torch import nn

PARTS = ("all", "permuted", "attention", "mlp", "norms", "embeddings")
_BLOCKS = re.compile(r"blocks (\d+)-(\d+)")
_IN_BLOCK = re.compile(r"(?:^|\.)blocks\.(\d+)\.(\w+)")
_ROLES = {"attn": "attention", "ls1": "attention", "mlp": "mlp", "ls2": "mlp"}
"""What a block's module belongs to; a branch's LayerScale goes with it, all else is a norm."""


def check_part(part: str) -> None:
    """Raise `ValueError` unless a part is one of `PARTS` or some blocks, as "blocks 1-4"."""
    blocks = _BLOCKS.fullmatch(part)
    if part not in PARTS and not (blocks and 1 <= int(blocks[1]) <= int(blocks[2])):
        raise ValueError(
            f"pretrained_part must be one of {', '.join(PARTS)}, or blocks counted from 1 as in "
            f"'blocks 1-4', got {part!r}"
        )


def belongs(name: str, part: str) -> bool:
    """Whether a parameter of an encoder belongs to a part of it.

    Args:
        name: as in the state of one of `hyperdemo.backbones`.
        part: any but "permuted".
    """
    found = _IN_BLOCK.search(name)
    if span := _BLOCKS.fullmatch(part):
        return found is not None and int(span[1]) <= int(found[1]) + 1 <= int(span[2])
    if found:
        role = _ROLES.get(found[2], "norms")
    else:
        role = "norms" if re.search(r"(?:^|\.)(?:norm|ln_post)\.", name) else "embeddings"
    return part in ("all", role)


@torch.no_grad()
def keep_part(
    encoder: nn.Module, random: nn.Module, *, part: str, generator: torch.Generator
) -> None:
    """Leave one part of a pretrained encoder as it is, and make the rest random.

    Args:
        encoder: changed in place.
        random: the same encoder as it starts from scratch, which gives the rest.
        part: what is kept. With "permuted" nothing is: every tensor's values are put in a random
            order, so that their distribution stays and what was learned goes.
        generator: of that order, on the CPU.

    Raises:
        ValueError: an encoder without the blocks that are named.
    """
    other = random.state_dict()
    kept = 0
    for name, own in encoder.state_dict().items():
        if part == "permuted":
            order = torch.randperm(own.numel(), generator=generator)
            own.copy_(own.flatten()[order].view_as(own))
        elif belongs(name, part):
            kept += 1
        else:
            own.copy_(other[name])
    if not kept and part != "permuted":
        raise ValueError(f"this encoder has no {part}")
