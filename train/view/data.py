"""Posed pictures of objects, read from any data set and framed as an upload is."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from tqdm import tqdm

from hyperdemo.learn.views import ViewSet, turns_to_front
from hyperdemo.preprocess import frame_input
from train.config import ViewData
from train.objects.sheets import load_sheet, load_transforms
from train.objects.variants import original_id
from train.view import learnit
from train.view.packed import Allocate, in_memory, kept


def read_split(splits_file: str | Path, split: str) -> tuple[list[str], dict[str, str]]:
    """Object ids of a split of rendered objects, and the class of every object.

    Raises:
        ValueError: there is no such split.
    """
    data = json.loads(Path(splits_file).read_text())
    known = sorted(set(data) - {"classes"})
    if split not in known:
        raise ValueError(f"no split {split!r} in {splits_file}; there are {', '.join(known)}")
    return data[split], data["classes"]


def split_objects(data: ViewData, split: str) -> tuple[list[str], dict[str, str]]:
    """`read_split` of a data set in any format.

    Raises:
        ValueError: there is no such split, or none of its objects.
    """
    if data.format == "learnit":
        return learnit.read_split(data.views_dir, data.splits_file, split)
    return read_split(data.splits_file, split)


def held_out(data: ViewData) -> tuple[str, ...]:
    """The splits that are scored: held-out objects and, but for LearnIt's, held-out classes and,
    where the file has them, held-out models."""
    if data.format != "rendered":
        return ("test",)
    there = json.loads(Path(data.splits_file).read_text())
    return ("test", "unseen", *(name for name in ("test-models",) if name in there))


def load_split(data: ViewData, split: str, *, input_size: int) -> ViewSet:
    """`load_views` of all objects of a split."""
    if data.format == "shards":
        from train.cluster.streaming import load_views_of_shards  # on packages for that alone

        return load_views_of_shards(f"{data.views_dir}/{split}", input_size=input_size)
    ids, classes = split_objects(data, split)
    return load_views(data, ids, classes=classes, input_size=input_size)


def load_views(
    data: ViewData, ids: Sequence[str], *, classes: dict[str, str], input_size: int
) -> ViewSet:
    """Read all views of some objects and frame every view as an input.

    Args:
        data: where the objects are, and in which format.
        ids: of the objects; the order is kept.
        classes: of all objects, by their original's id.
        input_size: side of the framed inputs in pixels.

    Raises:
        ValueError: an object is not there, or cameras differ between objects.
    """
    if data.packed:
        pixels, rest = kept(
            packed_folder(data, ids, input_size=input_size),
            lambda allocate: _read_objects(data, ids, input_size, allocate)[1],
        )
    else:
        pixels, rest = _read_objects(data, ids, input_size, in_memory)
    poses = rest["poses"]
    kinds = tuple(classes[original_id(name)] for name in ids)
    return ViewSet(
        tuple(ids), kinds, pixels["rgba"], pixels["framed"], poses, turns_to_front(poses),
        rest["fov_deg"],
    )  # fmt: skip


def packed_folder(data: ViewData, ids: Sequence[str], *, input_size: int) -> Path:
    """Where the decoded views of these objects are kept."""
    folder = Path(data.views_dir)
    files = (folder / name / "transforms.json" for name in ids)
    rendered = max((f.stat().st_mtime_ns for f in files if f.is_file()), default=0)
    key = f"{input_size} {data.format} {data.radius} {rendered} {' '.join(ids)}"
    return folder / f".packed-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def _read_objects(
    data: ViewData, ids: Sequence[str], input_size: int, allocate: Allocate
) -> tuple[dict[str, UInt8[Tensor, "*shape"]], dict[str, Any]]:
    """Views and framed inputs, filled in place: thousands of objects fit into memory once, but not
    twice. Beside them poses and field of view."""
    pixels: dict[str, Tensor] = {}
    poses, fovs = [], set()
    for index, name in enumerate(tqdm(ids, unit="object", disable=not sys.stderr.isatty())):
        pictures, cameras, fov_deg = _read_object(data, name)
        if not index:
            framed = (len(ids), len(pictures), input_size, input_size, 3)
            pixels["rgba"] = allocate("rgba", (len(ids), *pictures.shape))
            pixels["framed"] = allocate("framed", framed)
        expected = pixels["rgba"].shape[1:]
        if pictures.shape != expected:
            raise ValueError(
                f"{expected[0]} views of each object expected, {name} has {len(pictures)}"
            )
        pixels["rgba"][index] = torch.from_numpy(pictures)
        for view, picture in enumerate(pictures):
            framed_view = frame_input(picture, size=input_size)
            pixels["framed"][index, view] = torch.from_numpy(framed_view)
        poses.append(torch.from_numpy(cameras))
        fovs.add(round(fov_deg, 4))
    if len(fovs) != 1:
        raise ValueError(f"one field of view for all objects expected, got {sorted(fovs)}")
    return pixels, {"poses": torch.stack(poses), "fov_deg": fovs.pop()}


def _read_object(
    data: ViewData, name: str
) -> tuple[UInt8[np.ndarray, "v h h 4"], Float[np.ndarray, "v 4 4"], float]:
    """Pictures, poses and field of view in degrees."""
    folder = Path(data.views_dir) / name
    if data.format == "learnit":
        return learnit.read_object(folder, radius=data.radius)
    if not (folder / "transforms.json").is_file():
        option = " --variants N" if original_id(name) != name else ""
        raise ValueError(
            f"no views of {name} in {data.views_dir}; "
            f"run python -m train.objects.render_views{option}"
        )
    cameras, angle = load_transforms(folder / "transforms.json")
    return load_sheet(folder / "sheet.webp"), cameras, math.degrees(angle)
