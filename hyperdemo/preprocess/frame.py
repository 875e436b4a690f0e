"""The one way from a cut-out object to the square picture that a backbone sees.

Training views and a visitor's upload both pass through `frame_input`, so that the network
never meets at use a crop, a scale or a background that it did not meet in training.
"""

import math

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

# Pixels fainter than this are antialiasing or noise: they do not move the bounding box.
ALPHA_THRESHOLD = 26  # of 255, about 10 %
DEFAULT_FILL = 0.9  # share of the frame's side that the object's longer side takes
_WHITE = np.float32(255.0)


def frame_input(rgba: UInt8[np.ndarray, "h w 4"], *, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Crop to the object, scale its longer side to `DEFAULT_FILL * size`, centre it on white.

    The resampling is linear in premultiplied colour: compositing on white is itself linear in
    it, so the crop is composited first and resized once. Shrinking averages over areas
    (antialiased), enlarging is bicubic.

    Args:
        rgba: straight (not premultiplied) alpha, opaque where the object is.
        size: side of the result in pixels, at least 8.

    Returns:
        RGB on white, `size` x `size`. The same input always gives the same bytes.

    Raises:
        ValueError: the array is not uint8 RGBA, nothing in it is opaque, or `size` is too small.
    """
    check_rgba(rgba)
    if size < 8:
        raise ValueError(f"expected a frame of at least 8 pixels a side, got size={size}")
    top, bottom, left, right = alpha_bounds(rgba)
    composited = composite_on_white(rgba[top:bottom, left:right])
    height, width = composited.shape[:2]
    scale = DEFAULT_FILL * size / max(height, width)
    # floor(x + 0.5) and not round(): banker's rounding would treat 56.5 and 57.5 differently.
    new_height, new_width = (max(1, math.floor(n * scale + 0.5)) for n in (height, width))
    method = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_CUBIC
    resized = cv2.resize(composited, (new_width, new_height), interpolation=method)
    framed = np.full((size, size, 3), 255, dtype=np.uint8)
    y0, x0 = (size - new_height) // 2, (size - new_width) // 2
    # Bicubic overshoots; clip before the cast, which would wrap around.
    rounded = np.clip(resized + np.float32(0.5), 0.0, 255.0).astype(np.uint8)
    framed[y0 : y0 + new_height, x0 : x0 + new_width] = rounded
    return framed


def frame_alpha(rgba: UInt8[np.ndarray, "h w 4"], *, size: int) -> Float[np.ndarray, "s s"]:
    """Opacity in [0, 1] of what `frame_input` shows, pixel by pixel."""
    black = rgba.copy()
    black[..., :3] = 0
    # A black object on white is as dark as it is opaque.
    return 1.0 - frame_input(black, size=size)[..., 0].astype(np.float32) / 255.0


def alpha_bounds(rgba: UInt8[np.ndarray, "h w 4"]) -> tuple[int, int, int, int]:
    """The object's bounding box as (top, bottom, left, right), ends exclusive, in pixels.

    Raises:
        ValueError: no pixel's alpha exceeds `ALPHA_THRESHOLD`.
    """
    opaque: Bool[np.ndarray, "h w"] = rgba[..., 3] > ALPHA_THRESHOLD
    left, top, width, height = cv2.boundingRect(opaque.view(np.uint8))
    if width == 0 or height == 0:
        raise ValueError(
            "expected a picture with an object in it, but every pixel is transparent; "
            "choose another picture or paint the object into the mask"
        )
    return top, top + height, left, left + width


def composite_on_white(rgba: UInt8[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 3"]:
    """Straight-alpha RGBA pictures over white, as float32 in [0, 255]: rgb a + 255 (1 - a)."""
    rgb = rgba[..., :3].astype(np.float32)
    alpha = rgba[..., 3:].astype(np.float32) * np.float32(1.0 / 255.0)
    rgb -= _WHITE
    rgb *= alpha
    rgb += _WHITE
    return rgb


def check_rgba(rgba: np.ndarray) -> None:
    """Raise `ValueError` unless `rgba` is a uint8 array [h, w, 4] with pixels in it."""
    if not isinstance(rgba, np.ndarray):
        raise ValueError(
            f"expected an RGBA picture as a NumPy array, got {type(rgba).__name__}; "
            "decode_image turns files and PIL pictures into one"
        )
    if rgba.ndim != 3 or rgba.shape[-1] != 4 or rgba.dtype != np.uint8 or rgba.size == 0:
        raise ValueError(
            "expected an RGBA picture, uint8 of shape [height, width, 4], "
            f"got {rgba.dtype} of shape {list(rgba.shape)}; decode_image makes one"
        )
