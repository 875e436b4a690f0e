"""The camera of a framed input, which comes with no pose.

The input camera stands at azimuth 0 and distance 3, by the definition of the world. Unknown are its
elevation, and what the framing did: it cropped the picture to the object and scaled it, so that
the frame is a window, of unknown place and size, in the picture plane of that camera.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hyperdemo.config import CAMERA_DISTANCE, CAMERA_FOV_DEG
from hyperdemo.preprocess.frame import DEFAULT_FILL
from hyperdemo.render.bake import BakedField
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.march import march

ELEVATIONS_DEG = tuple(float(degrees) for degrees in range(-10, 61, 5))
USUAL_DEG, SPREAD_DEG = 20.0, 30.0
"""Prior: pictures are taken from a little above, so a camera elsewhere must look better."""

OUTLINES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.7)
"""Opacities, as shares of the largest, at which the edge of what is hazy may be."""

_RENDERED, _COMPARED = 64, 32  # sides of pictures in pixels
_HARDLY_ANYTHING = 0.02  # opacity below which a field shows nothing
_REACH = math.tan(math.radians(CAMERA_FOV_DEG) / 2)  # of the data set's pictures, from the middle


@dataclass(frozen=True)
class InputCamera:
    """The camera of a framed input.

    Attributes:
        elevation_deg: its height above the horizon.
        centre: middle of the frame in the plane at distance 1 before the camera, right and up.
        half: half the side of the frame in that plane.
    """

    elevation_deg: float
    centre: tuple[float, float]
    half: float

    def values(self) -> Float[Tensor, 4]:
        """Parameters to fit: elevation in radians, centre, logarithm of `half`."""
        return torch.tensor(
            [math.radians(self.elevation_deg), *self.centre, math.log(self.half)],
            dtype=torch.float32,
        )

    @staticmethod
    def of(values: Float[Tensor, 4]) -> InputCamera:
        """Inverse of `values`."""
        elevation, x, y, log_half = values.tolist()
        return InputCamera(math.degrees(elevation), (x, y), math.exp(log_half))


def input_rays(
    values: Float[Tensor, 4], where: Float[Tensor, "n 2"]
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n 3"]]:
    """Origins and unit directions of rays through a framed input.

    Args:
        values: of the camera; gradients flow to them.
        where: places in the frame, (0, 0) its top left corner and (1, 1) the opposite one.
    """
    elevation, centre, half = values[0], values[1:3], values[3].exp()
    across = centre[0] + (2 * where[:, 0] - 1) * half
    up = centre[1] - (2 * where[:, 1] - 1) * half
    sine, cosine = elevation.sin(), elevation.cos()
    # Right is x; the camera's own up and back are y and z turned about it.
    directions = torch.stack([across, up * cosine - sine, -up * sine - cosine], dim=-1)
    directions = directions / directions.norm(dim=-1, keepdim=True)
    zero = torch.zeros_like(sine)
    origin = CAMERA_DISTANCE * torch.stack([zero, sine, cosine])
    return origin.expand_as(directions), directions


def find_camera(
    baked: BakedField,
    rgb: Float[np.ndarray, "s s 3"],
    alpha: Float[np.ndarray, "s s"],
) -> InputCamera:
    """The camera from which a generated field looks most like the picture.

    At each elevation the field is rendered and framed as the picture was, by its outline; as it is
    hazy, several outlines are tried.

    Args:
        baked: the field that was generated from the picture.
        rgb: the framed picture on white, in [0, 1].
        alpha: opacity of the object in it.
    """
    shape = (_COMPARED, _COMPARED)
    small = cv2.resize(rgb.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    small_alpha = cv2.resize(alpha.astype(np.float32), shape, interpolation=cv2.INTER_AREA)
    target = np.dstack([small, small_alpha])
    best, least = InputCamera(USUAL_DEG, (0.0, 0.0), _REACH), math.inf
    for elevation in ELEVATIONS_DEG:
        pose = look_at_origin(0.0, elevation)
        seen = march(baked, pose, fov_deg=CAMERA_FOV_DEG, size=_RENDERED)
        if seen.alpha.max() < _HARDLY_ANYTHING:
            continue
        picture = np.dstack([seen.rgb, seen.alpha]).astype(np.float32)
        unusual = 1.0 + ((elevation - USUAL_DEG) / SPREAD_DEG) ** 2 / 2
        for share in OUTLINES:
            centre, half = _frame_of(seen.alpha > share * seen.alpha.max())
            camera = InputCamera(elevation, centre, half)
            error = float(np.square(_through_frame(picture, camera) - target).mean()) * unusual
            if error < least:
                best, least = camera, error
    return best


def _frame_of(inside: Bool[np.ndarray, "h h"]) -> tuple[tuple[float, float], float]:
    """Centre and half side of the frame of an object, as `frame_input` would choose it."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    size = len(inside)
    left, right = (2 * edge / size - 1 for edge in (columns[0], columns[-1] + 1))
    top, bottom = (1 - 2 * edge / size for edge in (rows[0], rows[-1] + 1))
    centre = _REACH * (left + right) / 2, _REACH * (top + bottom) / 2
    return centre, _REACH * max(right - left, top - bottom) / 2 / DEFAULT_FILL


def _through_frame(
    picture: Float[np.ndarray, "h h c"], camera: InputCamera
) -> Float[np.ndarray, "t t c"]:
    """What a frame cuts out of a picture of the whole unit sphere."""
    places = (np.arange(_COMPARED, dtype=np.float32) + 0.5) / _COMPARED * 2 - 1
    across = camera.centre[0] + places * camera.half
    up = camera.centre[1] - places * camera.half
    size = len(picture)
    columns = (across / _REACH + 1) * size / 2 - 0.5
    rows = (1 - up / _REACH) * size / 2 - 0.5
    maps = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return cv2.remap(
        picture, *maps, interpolation=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
        borderValue=(1.0, 1.0, 1.0, 0.0),
    )  # fmt: skip
