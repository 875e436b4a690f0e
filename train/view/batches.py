"""How often the objects of each pack are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from train.objects.variants import original_id

FURNITURE_PACK = "sweet-home"
"""The pack of the objects that come from `train.objects.catalogue`."""


def pack_of(object_id: str) -> str:
    """Pack of an object by its id, as `train.objects.collection` makes it."""
    pack, dot, _ = object_id.partition(".")
    return pack if dot else FURNITURE_PACK


def chances(ids: Sequence[str], weights: Mapping[str, float]) -> Float[Tensor, " n"] | None:
    """How often each object is drawn: by the weight of its pack, 1 where none is given.

    Returns:
        Probabilities, or None where all are drawn alike.

    Raises:
        ValueError: a pack of which there is no object.
    """
    packs = [pack_of(original_id(name)) for name in ids]
    if unknown := sorted(set(weights) - set(packs)):
        raise ValueError(f"data.weights has {unknown}; the packs are {sorted(set(packs))}")
    if not weights:
        return None
    raw = torch.tensor([weights.get(pack, 1.0) for pack in packs])
    return raw / raw.sum()
