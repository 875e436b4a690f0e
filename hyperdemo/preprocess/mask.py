"""Which pixels are the object: from its alpha, a plain background, or a segmentation.

`object_mask` finds it, `apply_mask_edit` takes a visitor's correction. Both refuse masks without an
object.
"""

from typing import Literal, get_args

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hyperdemo.preprocess import regions
from hyperdemo.preprocess.background import background_mask
from hyperdemo.preprocess.frame import check_rgba, composite_on_white
from hyperdemo.preprocess.saliency import saliency_map
from hyperdemo.preprocess.segmentation import colour_mask, salient_mask, segmentation_mask

MaskSource = Literal["alpha", "background", "saliency", "segmentation"]
Other = Literal["smaller", "larger", "colour", "whole"]
"""Masks to choose where the one that was found is not right."""
OTHERS: tuple[Other, ...] = get_args(Other)
_SHIFT = {"smaller": 0.4, "larger": -0.4}

# Less transparency than this is a screenshot's rounded corners, not a cut-out.
_MIN_TRANSPARENT_SHARE = 0.02
_MIN_OBJECT_SHARE = 0.002
_MAX_OBJECT_SHARE = 0.98
_FLAT_RANGE = 6  # of 255; JPEG noise on one colour stays within


def object_mask(
    rgba: UInt8[np.ndarray, "h w 4"],
) -> tuple[Float[np.ndarray, "h w"], MaskSource]:
    """Find the object.

    Alpha decides if the picture has transparent parts; else a plain background is found by its
    colour; else a learned map of saliency says where the object is, or without one its colours.

    Args:
        rgba: straight alpha, from `decode_image`.

    Returns:
        The mask, float32 in [0, 1], 1 inside the object; and the way it was found.

    Raises:
        ValueError: the picture is fully transparent or of one colour, no object was found, or it
            fills the whole picture.
    """
    check_rgba(rgba)
    alpha = rgba[..., 3]
    if alpha.max() <= 12:
        raise ValueError(
            "expected a picture with an object in it, but every pixel is transparent; "
            "choose another picture"
        )
    if _MIN_TRANSPARENT_SHARE <= float((alpha < 128).mean()) <= 1.0 - _MIN_OBJECT_SHARE:
        # Without stray specks, which would move the bounding box.
        kept = regions.drop_specks(alpha > 12, share=0.002)
        return _checked(np.where(kept, alpha.astype(np.float32) / 255.0, np.float32(0))), "alpha"
    rgb = np.rint(composite_on_white(rgba)).astype(np.uint8)
    if int(np.ptp(rgb.reshape(-1, 3), axis=0).max()) <= _FLAT_RANGE:
        raise ValueError(
            "expected a picture with an object in it, but it is all of one colour; "
            "choose another picture"
        )
    mask = background_mask(rgb)
    if mask is not None and _MIN_OBJECT_SHARE <= float(mask.mean()) <= _MAX_OBJECT_SHARE:
        return _checked(mask), "background"
    found, source = segmentation_mask(rgb)
    return _checked(found), source


def other_mask(rgba: UInt8[np.ndarray, "h w 4"], other: Other) -> Float[np.ndarray, "h w"]:
    """Another mask than `object_mask` finds.

    Less or more of what the learned map of saliency finds, what colours alone find, or the whole
    picture. Without the map, colours decide.

    Raises:
        ValueError: it holds no object, or fills the picture without being asked to.
    """
    check_rgba(rgba)
    if other == "whole":
        return np.ones(rgba.shape[:2], np.float32)
    rgb = np.rint(composite_on_white(rgba)).astype(np.uint8)
    learned = saliency_map(rgb) if other in _SHIFT else None
    if learned is None:
        return _checked(colour_mask(rgb))
    return _checked(salient_mask(rgb, learned, shift=_SHIFT[other]))


def apply_mask_edit(
    mask: Float[np.ndarray, "h w"], painted: np.ndarray
) -> Float[np.ndarray, "h w"]:
    """Take a mask that a visitor has corrected with a brush.

    Where the painted mask agrees with the old one (both object, or both background), the old
    one's soft edge stays; where they differ the painted one counts, its edge softened.

    Args:
        mask: the mask before the correction, in [0, 1].
        painted: the whole mask after it, [h, w]: bool, uint8 (above 127 is object), or floats
            in [0, 1] (above 0.5 is object).

    Raises:
        ValueError: the shapes differ, the type is another, or the painted mask is empty or
            fills the picture.
    """
    wanted = _as_bool(painted, mask.shape)
    changed = wanted != (mask > 0.5)
    touched = regions.dilate(changed, 1)
    return _checked(np.where(touched, regions.soften(wanted), mask).astype(np.float32))


def paint(
    mask: Float[np.ndarray, "h w"], *, add: np.ndarray, erase: np.ndarray
) -> Float[np.ndarray, "h w"]:
    """Correct a mask with brush strokes: first `add` to the object, then `erase` from it.

    Strokes are [h, w] arrays as in `apply_mask_edit`.

    Raises:
        ValueError: as for `apply_mask_edit`.
    """
    painted = (mask > 0.5) | _as_bool(add, mask.shape)
    return apply_mask_edit(mask, painted & ~_as_bool(erase, mask.shape))


def _as_bool(painted: np.ndarray, shape: tuple[int, ...]) -> Bool[np.ndarray, "h w"]:
    if painted.shape != shape:
        raise ValueError(
            f"expected a painted mask of the picture's size, {list(shape)}, "
            f"got {list(painted.shape)}; resize it to the picture first"
        )
    if painted.dtype == np.bool_:
        return painted
    if painted.dtype == np.uint8:
        return painted > 127
    if np.issubdtype(painted.dtype, np.floating):
        return painted > 0.5
    raise ValueError(f"expected a mask of bool, uint8 or floats, got {painted.dtype}")


def _checked(mask: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    share = float(mask.mean())
    if share < _MIN_OBJECT_SHARE:
        raise ValueError(
            "expected an object, but the mask is empty or a mere speck; "
            "paint the object into the mask, or choose another picture"
        )
    if share > _MAX_OBJECT_SHARE:
        raise ValueError(
            "expected an object before a background, but the object fills the whole picture; "
            "paint the background out of the mask, or choose a picture with some room around"
        )
    return cv2.min(cv2.max(mask, 0.0), 1.0)
