"""What a visitor may try without a picture of their own: photographs, and objects with a truth.

An object with a truth is a folder `examples/objects/<id>/` of `input.webp` (the view that is
shown to the models), `transforms.json` (poses in the frame of that view, the first its own),
`truth.webp` (the views at these poses, RGBA, side by side) and `name.txt`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from hyperdemo.media import decode_image
from hyperdemo.preprocess.frame import composite_on_white
from hyperdemo.render.cameras import PosedViews, read_transforms

_SUFFIXES = (".webp", ".png", ".jpg", ".jpeg")


@dataclass(frozen=True)
class HeldOut:
    """An object that no training saw, with pictures of it from known poses.

    Attributes:
        name: what it is, in words.
        picture: the file that is shown to the models.
        views: the poses, the first that of `picture`.
        truth: what is seen from each pose, over white.
        strip: picture file of the truth, views side by side.
        digest: SHA-256 of the picture's bytes, by which an upload is recognised.
    """

    name: str
    picture: Path
    views: PosedViews
    truth: UInt8[np.ndarray, "n h h 3"]
    strip: Path
    digest: str


def find_photographs(folder: str | Path) -> list[Path]:
    """Example photographs, in the order of their names; none where there is no such folder."""
    found = Path(folder).glob("*")
    return sorted(path for path in found if path.suffix.lower() in _SUFFIXES)


def find_held_out(folder: str | Path) -> list[HeldOut]:
    """Objects with a truth, in the order of their names; none where there is no such folder.

    Raises:
        ValueError: a folder of an object lacks a file, or the views do not fit the poses.
    """
    return [read_held_out(path.parent) for path in sorted(Path(folder).glob("*/transforms.json"))]


def read_held_out(folder: str | Path) -> HeldOut:
    """Read one object's folder.

    Raises:
        ValueError: a file is missing or damaged, or the views do not fit the poses.
    """
    folder = Path(folder)
    picture, name = folder / "input.webp", folder / "name.txt"
    if not picture.is_file():
        raise ValueError(f"{folder} holds no input.webp")
    views = read_transforms(folder / "transforms.json")
    file = folder / "truth.webp"
    strip = composite_on_white(decode_image(file, max_side=None))
    n, side = len(views.poses), strip.shape[0]
    if strip.shape[1] != n * side:
        raise ValueError(
            f"{file}: {n} square views side by side expected, one per pose, "
            f"got {strip.shape[1]} x {side} pixels"
        )
    truth = np.rint(strip).astype(np.uint8).reshape(side, n, side, 3).transpose(1, 0, 2, 3)
    words = name.read_text(encoding="utf-8").strip() if name.is_file() else folder.name
    return HeldOut(words, picture, views, np.ascontiguousarray(truth), file, digest_of(picture))


def example_name(picture: Path) -> str:
    """What an address calls an example: its file without suffix, or the folder of its object."""
    return picture.parent.name if picture.stem == "input" else picture.stem


def digest_of(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recognise(digest: str, known: Sequence[HeldOut]) -> HeldOut | None:
    """The object that a picture file of this digest shows; None for any other picture."""
    return next((one for one in known if one.digest == digest), None)
