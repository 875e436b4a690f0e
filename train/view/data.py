"""Posed pictures of objects as training batches: one input view, rays of other views as targets.

Every pose is relative to the input view: the world is turned about y until the input camera stands
at azimuth 0. The input goes through the same framing as an upload does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from hyperdemo.preprocess import frame_input
from hyperdemo.render.cameras import camera_rays, turn_about_y
from train.config import ViewData
from train.objects.sheets import load_sheet, load_transforms
from train.objects.variants import original_id
from train.view import learnit


@dataclass(frozen=True)
class ViewSet:
    """Rendered views of objects, in memory.

    Attributes:
        ids: names of the n objects.
        classes: class of each object.
        rgba: straight-alpha pictures.
        framed: the same views framed as encoder inputs.
        poses: camera-to-world in each object's own frame.
        turns: rotations of that frame about y that bring each camera to azimuth 0.
        fov_deg: full field of view of every camera.
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    rgba: UInt8[Tensor, "n v h h 4"]
    framed: UInt8[Tensor, "n v s s 3"]
    poses: Float[Tensor, "n v 4 4"]
    turns: Float[Tensor, "n v 4 4"]
    fov_deg: float

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> int:
        """Side of the views in pixels."""
        return self.rgba.shape[2]

    @property
    def azimuths(self) -> Float[Tensor, "n v"]:
        """Of each camera, in radians."""
        return azimuths_of(self.poses)

    def to(self, device: torch.device | str) -> ViewSet:
        tensors = (t.to(device) for t in (self.rgba, self.framed, self.poses, self.turns))
        return ViewSet(self.ids, self.classes, *tensors, self.fov_deg)

    def poses_from(self, obj: int, view: int) -> Float[Tensor, "v 4 4"]:
        """All cameras of an object in the world of one of its views."""
        return self.turns[obj, view] @ self.poses[obj]


def azimuths_of(poses: Float[Tensor, "*b 4 4"]) -> Float[Tensor, "*b"]:
    """Azimuths in radians of cameras' positions."""
    return torch.atan2(poses[..., 0, 3], poses[..., 2, 3])


def turns_to_front(poses: Float[Tensor, "n v 4 4"]) -> Float[Tensor, "n v 4 4"]:
    """The rotation of the world about y that brings each camera to azimuth 0."""
    angles = torch.rad2deg(azimuths_of(poses)).flatten().tolist()
    turns = np.stack([turn_about_y(-angle) for angle in angles])
    return torch.from_numpy(turns).reshape(poses.shape)


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
    """The splits that are scored: held-out objects and, but for LearnIt's, held-out classes."""
    return ("test",) if data.format == "learnit" else ("test", "unseen")


def load_split(data: ViewData, split: str, *, input_size: int) -> ViewSet:
    """`load_views` of all objects of a split."""
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
    # Filled in place: thousands of objects fit into memory once, but not twice.
    rgba = framed = torch.empty(0)
    poses, fovs = [], set()
    for index, name in enumerate(ids):
        pictures, cameras, fov_deg = _read_object(data, name)
        if not index:
            rgba = torch.empty((len(ids), *pictures.shape), dtype=torch.uint8)
            shape = (len(ids), len(pictures), input_size, input_size, 3)
            framed = torch.empty(shape, dtype=torch.uint8)
        if pictures.shape != rgba.shape[1:]:
            raise ValueError(
                f"{rgba.shape[1]} views of each object expected, {name} has {len(pictures)}"
            )
        rgba[index] = torch.from_numpy(pictures)
        for view, picture in enumerate(pictures):
            framed[index, view] = torch.from_numpy(frame_input(picture, size=input_size))
        poses.append(torch.from_numpy(cameras))
        fovs.add(round(fov_deg, 4))
    if len(fovs) != 1:
        raise ValueError(f"one field of view for all objects expected, got {sorted(fovs)}")
    stacked = torch.stack(poses)
    kinds = tuple(classes[original_id(name)] for name in ids)
    return ViewSet(tuple(ids), kinds, rgba, framed, stacked, turns_to_front(stacked), fovs.pop())


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


@dataclass(frozen=True)
class RayBatch:
    """Inputs of b objects with n target rays each.

    Attributes:
        framed: encoder inputs, uint8 RGB.
        origins, directions: target rays in the frame of the input view.
        rgba: straight-alpha target of each ray, in [0, 1].
    """

    framed: UInt8[Tensor, "b s s 3"]
    origins: Float[Tensor, "b n 3"]
    directions: Float[Tensor, "b n 3"]
    rgba: Float[Tensor, "b n 4"]


def draw_batch(
    views: ViewSet, data: ViewData, *, objects: int, generator: torch.Generator
) -> RayBatch:
    """Random objects, a random input view of each, and random rays of random views.

    Args:
        views: objects to draw from.
        data: numbers of target views and rays, and the shares of rays and objects: of rays that
            fall on or within four pixels of the object, where the gradient is; of objects that are
            mirrored, the world of the input view at its plane x = 0; of objects whose colour
            channels are in a random order, which leaves greys and the white ground as they are.
        objects: how many.
        generator: on the views' device; all that is random comes from it.
    """
    device = views.rgba.device

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, device=device, generator=generator)

    n_views = views.rgba.shape[1]
    obj = draw(len(views), objects)
    inputs = draw(n_views, objects)
    targets = draw(n_views, objects, data.target_views)
    size = views.size
    seen = views.rgba[obj[:, None], targets].flatten(0, 1)
    pixels = _draw_pixels(seen, data.rays, data.near_share, generator)
    rgba = seen.flatten(1, 2).gather(1, pixels[..., None].expand(-1, -1, 4))
    where = torch.stack([pixels % size, pixels // size], dim=-1).float() + 0.5
    poses = views.turns[obj, inputs][:, None] @ views.poses[obj[:, None], targets]
    origins, directions = camera_rays(poses.flatten(0, 1), where, fov_deg=views.fov_deg, size=size)
    framed = views.framed[obj, inputs]
    flips = torch.rand(objects, device=device, generator=generator) < data.mirror
    sign = torch.ones(objects, 1, 3, device=device)
    sign[..., 0] -= 2.0 * flips[:, None]
    framed = torch.where(flips[:, None, None, None], framed.flip(2), framed)
    rgba = rgba.reshape(objects, -1, 4)
    if data.recolour:
        order = torch.rand(objects, 3, device=device, generator=generator).argsort(1)
        kept = torch.rand(objects, 1, device=device, generator=generator) >= data.recolour
        order = torch.where(kept, torch.arange(3, device=device), order)
        framed = framed.gather(3, order[:, None, None].expand_as(framed))
        rgb = rgba[..., :3].gather(2, order[:, None].expand(-1, rgba.shape[1], -1))
        rgba = torch.cat([rgb, rgba[..., 3:]], dim=2)
    return RayBatch(
        framed,
        origins.reshape(objects, -1, 3) * sign,
        directions.reshape(objects, -1, 3) * sign,
        rgba.float() / 255,
    )


def near_object(rgba: UInt8[Tensor, "m h h 4"]) -> Float[Tensor, "m h h"]:
    """One where a pixel shows the object or lies within four pixels of it, else zero."""
    opaque = (rgba[..., 3] > 0).float()[:, None]
    # Rows, then columns: the same as a square of nine at a fifth of its time.
    rows = F.max_pool2d(opaque, (1, 9), stride=1, padding=(0, 4))
    return F.max_pool2d(rows, (9, 1), stride=1, padding=(4, 0))[:, 0]


def _draw_pixels(
    rgba: UInt8[Tensor, "m h h 4"], rays: int, near_share: float, generator: torch.Generator
) -> Tensor:
    """Flat pixel indices `[m, rays]`: `near_share` of them near the object, the rest anywhere."""
    if not near_share:
        shape = len(rgba), rays
        pixels = rgba.shape[1] * rgba.shape[2]
        return torch.randint(pixels, shape, device=rgba.device, generator=generator)
    near = near_object(rgba).flatten(1)
    uniform = torch.full_like(near, 1.0 / near.shape[1])
    weight = (1 - near_share) * uniform + near_share * near / near.sum(1, keepdim=True).clamp_min(1)
    return torch.multinomial(weight, rays, replacement=True, generator=generator)
