"""A picture beside the objects that the models practised on."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import UInt8

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.events import Compared
from hyperdemo.known import KnownObjects, picture_feature
from hyperdemo.model import to_pixels

COMPARES = "foundation"
"""The model whose encoder compares: the pretrained one tells more kinds apart."""


@torch.inference_mode()
def compare(
    framed: UInt8[np.ndarray, "s s 3"],
    known: KnownObjects,
    loaded: LoadedModel,
    *,
    device: torch.device,
) -> Compared:
    """Which of the objects of training a picture is nearest to.

    Args:
        framed: the picture as the models read it.
        known: the objects, as this model sees them.
        loaded: the model.
        device: where it lives.
    """
    pixels = to_pixels(torch.from_numpy(framed)[None], device=device)
    near = known.nearest(picture_feature(loaded.model, pixels)[0].cpu().numpy())
    return Compared(
        known.names[near.index], known.kinds[near.index], known.thumbnails[near.index],
        near.distance, near.far, len(known),
    )  # fmt: skip
