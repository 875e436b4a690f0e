"""LearnIt's ShapeNet renderings as a `ViewSet`, for those who have them.

One folder an object, with `transforms.json` and a PNG a view, and `<name>_splits.json` with the
object ids of each split (Tancik et al. 2021, "Learned Initializations for Optimizing
Coordinate-Based Neural Representations"). The cameras are Blender's: z is up there, y here.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8

from hyperdemo.media.image import decode_image
from hyperdemo.preprocess import frame_input
from hyperdemo.render.cameras import read_transforms
from train.view.data import ViewSet

# Turns z up into y up: (x, y, z) → (x, z, −y).
_Y_UP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float32)


def load_learnit(
    root: str | Path, splits_file: str | Path, *, split: str, input_size: int, radius: float = 1.0
) -> ViewSet:
    """Read one split.

    Args:
        root: folder that holds a folder an object.
        splits_file: JSON of `{split: [object id, …]}`.
        split: which of them.
        input_size: side of the framed inputs in pixels.
        radius: of the sphere round the origin that holds every object, in the files' units; the
            world is scaled so that it becomes 1.

    Raises:
        ValueError: no such split, a missing picture, or objects with differing cameras.
    """
    splits = json.loads(Path(splits_file).read_text())
    if split not in splits:
        raise ValueError(f"{splits_file} has no split {split!r}; it has {sorted(splits)}")
    ids = tuple(splits[split])
    objects = [_load_object(Path(root) / name, input_size, radius) for name in ids]
    shapes = {(o[0].shape, o[3]) for o in objects}
    if len(shapes) != 1:
        raise ValueError(f"equal views and field of view expected in {root}, got {shapes}")
    poses = torch.from_numpy(np.stack([o[2] for o in objects]))
    return ViewSet(
        ids,
        (Path(root).name,) * len(ids),
        torch.from_numpy(np.stack([o[0] for o in objects])),
        torch.from_numpy(np.stack([o[1] for o in objects])),
        poses,
        torch.atan2(poses[..., 0, 3], poses[..., 2, 3]),
        objects[0][3],
    )


def _load_object(
    folder: Path, input_size: int, radius: float
) -> tuple[
    UInt8[np.ndarray, "v h h 4"], UInt8[np.ndarray, "v s s 3"], Float[np.ndarray, "v 4 4"], float
]:
    views = read_transforms(folder / "transforms.json")
    missing = [index for index, image in enumerate(views.images) if image is None]
    if missing:
        raise ValueError(f"{folder}: the pictures of views {missing} are missing")
    rgba = np.stack([decode_image(image, max_side=None) for image in views.images])
    framed = np.stack([frame_input(view, size=input_size) for view in rgba])
    poses = _Y_UP @ views.poses
    poses[:, :3, 3] /= radius
    return rgba, framed, poses.astype(np.float32), views.fov_deg
