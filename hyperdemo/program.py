"""For programs: a photo in, its network out as a function; a function in, a picture out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from hyperdemo.config import CAMERA_FOV_DEG
from hyperdemo.inr import as_field
from hyperdemo.inr.radiance import RadianceField
from hyperdemo.media import decode_image
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.pipeline.orbit import to_bytes
from hyperdemo.pipeline.refined import GRID
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.march import march


def photo_to_inr(
    photo: str | Path | bytes | np.ndarray,
    *,
    model: str = "foundation",
    weights: str | Path | None = None,
    device: str | None = None,
) -> RadianceField:
    """The network that a model writes for a photo of one object.

    The models are loaded at each call; for many photos keep a `hyperdemo.pipeline.ViewPipeline`.

    Args:
        photo: anything that `hyperdemo.media.decode_image` takes.
        model: "foundation", the pretrained one, or "scratch".
        weights: folder of the checkpoints; see `hyperdemo.checkpoints.find_weights`.
        device: "cpu" or "cuda"; by default the GPU if there is one.

    Returns:
        a function from points `[n, 3]` to density `[n]` and colour `[n, 3]`, as tensors; its
        weights are `params`.

    Raises:
        ValueError: a photo, model, checkpoint or device that cannot be used.
    """
    rgba = decode_image(photo)
    pipeline = ViewPipeline.from_weights(weights, names=[model], device=device)
    loaded = pipeline.models[model]
    params = pipeline.encode(pipeline.prepare(rgba).framed, loaded)
    return as_field(loaded.model.config.field, params)


def picture(
    field: RadianceField, *, azimuth_deg: float = 0.0, elevation_deg: float = 20.0, size: int = 256
) -> UInt8[np.ndarray, "h w 3"]:
    """A square picture of a field over white, as the app shows it.

    Args:
        field: what `photo_to_inr` returned.
        azimuth_deg: of the camera; the photo was taken from 0.
        elevation_deg: of the camera above the horizon.
        size: side in pixels.

    Raises:
        ValueError: a number out of range.
    """
    baked = bake(field, resolution=GRID, device=field.params.weights[0].device)
    pose = look_at_origin(azimuth_deg, elevation_deg)
    return to_bytes(march(baked, pose, fov_deg=CAMERA_FOV_DEG, size=size, n_steps=GRID).rgb)
