"""A visitor's picture, made ready: cut out, and framed as the training views were."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, UInt8

from hyperdemo.preprocess import regions
from hyperdemo.preprocess.frame import check_rgba, composite_on_white, frame_input
from hyperdemo.preprocess.mask import MaskSource, Other, apply_mask_edit, object_mask, other_mask


@dataclass(frozen=True)
class Prepared:
    """The network's input, and what the page shows of how it was made.

    Attributes:
        rgba: the picture with the mask as its alpha (straight).
        mask: the object, in [0, 1].
        mask_source: how the mask was found; "edited" when a visitor painted it, or which other one
            they chose.
        framed: the model's input, RGB on white.
    """

    rgba: UInt8[np.ndarray, "h w 4"]
    mask: Float[np.ndarray, "h w"]
    mask_source: MaskSource | Other | Literal["edited"]
    framed: UInt8[np.ndarray, "s s 3"]


def prepare(
    rgba: UInt8[np.ndarray, "h w 4"],
    *,
    size: int,
    mask: np.ndarray | None = None,
    other: Other | None = None,
) -> Prepared:
    """Cut the object out and frame it.

    Args:
        rgba: a picture from `decode_image`.
        size: side of the framed input, in pixels.
        mask: a corrected mask, [h, w], bool, uint8 or floats in [0, 1]; None finds one.
        other: another mask than the one that would be found; see `other_mask`.

    Raises:
        ValueError: there is no object to be found, as in `object_mask`, or the mask does not
            fit the picture, as in `apply_mask_edit`.
    """
    check_rgba(rgba)
    source: MaskSource | Other | Literal["edited"]
    if mask is None and other is not None:
        found, source = other_mask(rgba, other), other
    elif mask is None:
        found, source = object_mask(rgba)
    else:
        found, source = _corrected(rgba, mask), "edited"
    opacity = np.rint(found * 255.0).astype(np.uint8)
    if source == "alpha":
        colours = rgba[..., :3]
    elif source == "whole":
        colours = np.rint(composite_on_white(rgba)).astype(np.uint8)
    else:
        colours = _without_fringe(rgba, found)
    cut_out = np.dstack([colours, opacity])
    return Prepared(
        rgba=cut_out, mask=found, mask_source=source, framed=frame_input(cut_out, size=size)
    )


def _corrected(rgba: UInt8[np.ndarray, "h w 4"], mask: np.ndarray) -> Float[np.ndarray, "h w"]:
    """The corrected mask; a float mask keeps its own soft edge."""
    before = np.zeros(rgba.shape[:2], np.float32)
    if mask.shape == before.shape and np.issubdtype(mask.dtype, np.floating):
        before = np.clip(np.nan_to_num(mask), 0.0, 1.0).astype(np.float32)
    return apply_mask_edit(before, mask)


def _without_fringe(
    rgba: UInt8[np.ndarray, "h w 4"], mask: Float[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Colours in which the half-transparent edge no longer shows the old background.

    An edge pixel is a mixture of object and background; on white the background's share
    would remain as a coloured line. It takes the mean colour of the solid pixels beside it.
    """
    solid = mask > 0.95
    radius = max(2, round(max(mask.shape) / 256))
    nearby, known = regions.local_mean(rgba[..., :3].astype(np.float32), solid, radius=radius)
    replace = known & ~solid & (mask > 0.0)
    return np.where(replace[..., None], np.rint(nearby).astype(np.uint8), rgba[..., :3])
