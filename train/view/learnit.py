"""LearnIt's ShapeNet renderings, for those who have them (`data.format = "learnit"`).

A folder per object with `transforms.json` and a PNG per view, and `<class>_splits.json` with the
object ids of "train" and "test" (Tancik et al. 2021, "Learned Initializations for Optimizing
Coordinate-Based Neural Representations"). The cameras are Blender's: z is up there, y here.

With them in `data/shapenet` this trains and scores both arms on the chairs (or cars, or lamps):

    python -m train.pair view-chairs --weights weights/chairs
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from hyperdemo.media.image import decode_image
from hyperdemo.render.cameras import read_transforms

N_VIEWS = 25  # of each object, the first ones, as Trans-INR takes them
VAL_EVERY = 40  # every 40th training object is for validation where the file has no such split

# Turns z up into y up: (x, y, z) → (x, z, −y).
_Y_UP = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]], np.float32)


def read_split(
    root: str | Path, splits_file: str | Path, split: str
) -> tuple[list[str], dict[str, str]]:
    """Object ids of a split, and the class of each, which is the name of the folder of objects.

    Where the file has no "val", a fortieth of "train" is taken out for it. Listed objects that are
    not there are left out with a warning, since not all were released.

    Args:
        root: folder that holds a folder per object.
        splits_file: JSON of `{split: [object id, …]}`.

    Raises:
        ValueError: no such file or split, or none of its objects.
    """
    try:
        splits = json.loads(Path(splits_file).read_text())
    except OSError as error:
        raise ValueError(f"expected LearnIt's splits in {splits_file} ({error})") from error
    if "val" not in splits and "train" in splits:
        train = splits["train"]
        splits["val"] = train[::VAL_EVERY]
        splits["train"] = [name for k, name in enumerate(train) if k % VAL_EVERY]
    if split not in splits:
        raise ValueError(f"{splits_file} has no split {split!r}; it has {sorted(splits)}")
    there = [name for name in splits[split] if (Path(root) / name / "transforms.json").is_file()]
    if not there:
        raise ValueError(f"{root} holds none of the {split} objects of {splits_file}")
    if missing := len(splits[split]) - len(there):
        warnings.warn(f"{missing} {split} objects are not in {root} and left out", stacklevel=2)
    return there, dict.fromkeys(there, Path(root).name)


def read_object(
    folder: Path, *, radius: float = 1.0
) -> tuple[UInt8[np.ndarray, "v h h 4"], Float[np.ndarray, "v 4 4"], float]:
    """Pictures, poses with y up, and the field of view in degrees.

    The world is scaled so that the sphere round the origin that holds the object, whose radius is
    given in the file's units, becomes the unit sphere.

    Raises:
        ValueError: the poses or a picture are missing or broken.
    """
    path = folder / "transforms.json"
    views = read_transforms(path, pictures=False)
    # The files name the folders of whoever rendered them, too.
    frames = json.loads(path.read_text())["frames"]
    names = [Path(frame.get("file_path", "")).name for frame in frames]
    images = [folder / f"{name.removesuffix('.png')}.png" for name in names[:N_VIEWS]]
    missing = [index for index, image in enumerate(images) if not image.is_file()]
    if missing:
        raise ValueError(f"{folder}: the pictures of views {missing} are missing")
    rgba = np.stack([decode_image(image, max_side=None) for image in images])
    poses = (_Y_UP @ views.poses[:N_VIEWS]).astype(np.float32)
    poses[:, :3, 3] /= radius
    return rgba, poses, views.fov_deg
