"""The object's outline as the editor on the page shows it, and a visitor's strokes read back.

What will be cut away is veiled. The visitor paints on a transparent layer above, in one colour
for what belongs to the object and in another for what does not; the layer holds no mask itself,
so a visitor who paints nothing changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hyperdemo.preprocess import paint
from hyperdemo.preprocess.frame import composite_on_white
from hyperdemo.ui.object.cuts import Cut

KEEP_COLOUR = "#16a34a"
CUT_COLOUR = "#dc2626"

_VEIL = 0.82
_PAPER = np.array([226.0, 229.0, 235.0], np.float32)
_MIN_OPACITY = 96  # of 255: a stroke's antialiased rim does not count


def veiled(
    rgba: UInt8[np.ndarray, "h w 4"], mask: Float[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with all but the object faded."""
    picture = composite_on_white(rgba)
    faded = picture + (_PAPER - picture) * np.float32(_VEIL)
    opacity = mask[..., None].astype(np.float32)
    return np.rint(faded + (picture - faded) * opacity).astype(np.uint8)


def editor_value(cut: Cut) -> dict[str, Any]:
    """What the image editor shows: the veiled picture, and nothing painted yet."""
    return {"background": veiled(cut.rgba, cut.found.mask), "layers": [], "composite": None}


def strokes(
    editor: Mapping[str, Any] | None, shape: Sequence[int]
) -> tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "h w"]] | None:
    """Where a visitor painted to keep and to cut, or None where nothing is painted.

    Layers of another size belong to another picture and count as nothing painted.

    Args:
        editor: the image editor's value; its `layers` are RGBA `[h, w, 4]`.
        shape: height and width of the picture.
    """
    keep, cut = np.zeros(tuple(shape), bool), np.zeros(tuple(shape), bool)
    for layer in (editor or {}).get("layers") or ():
        if layer.ndim != 3 or layer.shape[:2] != keep.shape or layer.shape[2] != 4:
            continue
        painted = layer[..., 3] >= _MIN_OPACITY
        reddish = layer[..., 0] > layer[..., 1]
        # A later layer lies above, so it overrules.
        keep = (keep & ~painted) | (painted & ~reddish)
        cut = (cut & ~painted) | (painted & reddish)
    return (keep, cut) if keep.any() or cut.any() else None


def corrected_mask(cut: Cut, editor: Mapping[str, Any] | None) -> Float[np.ndarray, "h w"] | None:
    """The outline after a visitor's strokes; None where nothing is painted.

    Raises:
        ValueError: nothing is left of the object, or nothing but the object.
    """
    painted = strokes(editor, cut.rgba.shape[:2])
    if painted is None:
        return None
    return paint(cut.found.mask, add=painted[0], erase=painted[1])
