"""Posed pictures of objects as training batches: one input view, rays of other views as targets.

Every pose is told from the input view: the world is turned about y until the input camera stands
at azimuth 0. The input goes through the same framing as an upload does.
"""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from hyperdemo.preprocess import frame_input
from hyperdemo.render.cameras import camera_rays
from train.objects.sheets import load_sheet, load_transforms
from train.objects.variants import original_id


@dataclass(frozen=True)
class ViewSet:
    """Rendered views of objects, in memory.

    Attributes:
        ids: names of the n objects.
        classes: class of each object.
        rgba: straight-alpha pictures, `[n, v, h, h, 4]`.
        framed: the same views framed as encoder inputs, `[n, v, s, s, 3]`.
        poses: camera-to-world in each object's own frame, `[n, v, 4, 4]`.
        azimuths: of each camera in radians, `[n, v]`.
        fov_deg: full field of view of every camera.
    """

    ids: tuple[str, ...]
    classes: tuple[str, ...]
    rgba: UInt8[Tensor, "n v h h 4"]
    framed: UInt8[Tensor, "n v s s 3"]
    poses: Float[Tensor, "n v 4 4"]
    azimuths: Float[Tensor, "n v"]
    fov_deg: float

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def size(self) -> int:
        """Side of the views in pixels."""
        return self.rgba.shape[2]

    def to(self, device: torch.device | str) -> ViewSet:
        return ViewSet(
            self.ids,
            self.classes,
            self.rgba.to(device),
            self.framed.to(device),
            self.poses.to(device),
            self.azimuths.to(device),
            self.fov_deg,
        )

    def poses_from(self, obj: int, view: int) -> Float[Tensor, "v 4 4"]:
        """All cameras of an object as seen from the world of one of its views."""
        return turn_poses(self.poses[obj], -self.azimuths[obj, view].expand(self.poses.shape[1]))


def turn_poses(
    poses: Float[Tensor, "*b 4 4"], angles: Float[Tensor, "*b"]
) -> Float[Tensor, "*b 4 4"]:
    """Add an azimuth (radians) to cameras: rotate the world about y."""
    turn = torch.zeros_like(poses)
    turn[..., 0, 0] = turn[..., 2, 2] = angles.cos()
    turn[..., 0, 2] = angles.sin()
    turn[..., 2, 0] = -angles.sin()
    turn[..., 1, 1] = turn[..., 3, 3] = 1.0
    return turn @ poses


def some_of(ids: list[str], share: float) -> list[str]:
    """A share of the ids, at least one, in their order: no prefix, and smaller shares in larger."""
    ranks = list(range(len(ids)))
    random.Random(0).shuffle(ranks)
    kept = max(1, round(share * len(ids)))
    return [name for name, rank in zip(ids, ranks, strict=True) if rank < kept]


def read_split(splits_file: str | Path, split: str) -> tuple[list[str], dict[str, str]]:
    """Object ids of a split, and the class of every object.

    Raises:
        ValueError: there is no such split.
    """
    data = json.loads(Path(splits_file).read_text())
    if split not in data or split == "classes":
        raise ValueError(f"no split {split!r} in {splits_file}")
    return data[split], data["classes"]


def load_views(
    views_dir: str | Path, ids: list[str], *, classes: dict[str, str], input_size: int
) -> ViewSet:
    """Read the sheets of some objects and frame every view as an input.

    Raises:
        ValueError: an object has not been rendered, or cameras differ between objects.
    """
    # Filled in place: thousands of objects fit into memory once, but not twice.
    rgba = framed = torch.empty(0)
    poses, fovs = [], set()
    for index, name in enumerate(ids):
        folder = Path(views_dir) / name
        if not (folder / "transforms.json").is_file():
            option = " --variants N" if original_id(name) != name else ""
            raise ValueError(
                f"no views of {name} in {views_dir}; "
                f"run python -m train.objects.render_views{option}"
            )
        sheet = load_sheet(folder / "sheet.webp")
        cameras, angle = load_transforms(folder / "transforms.json")
        if not index:
            rgba = torch.empty((len(ids), *sheet.shape), dtype=torch.uint8)
            framed = torch.empty(
                (len(ids), len(sheet), input_size, input_size, 3), dtype=torch.uint8
            )
        if sheet.shape != rgba.shape[1:]:
            raise ValueError(
                f"{rgba.shape[1]} views of each object expected, {name} has {len(sheet)}"
            )
        rgba[index] = torch.from_numpy(sheet)
        for view, picture in enumerate(sheet):
            framed[index, view] = torch.from_numpy(frame_input(picture, size=input_size))
        poses.append(torch.from_numpy(cameras))
        fovs.add(round(math.degrees(angle), 4))
    if len(fovs) != 1:
        raise ValueError(f"one field of view for all objects expected, got {sorted(fovs)}")
    stacked = torch.stack(poses)
    return ViewSet(
        tuple(ids),
        tuple(classes[original_id(name)] for name in ids),
        rgba,
        framed,
        stacked,
        torch.atan2(stacked[..., 0, 3], stacked[..., 2, 3]),
        fovs.pop(),
    )


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
    views: ViewSet,
    *,
    objects: int,
    target_views: int,
    rays: int,
    near_share: float,
    generator: torch.Generator,
    mirror: float = 0.0,
    recolour: float = 0.0,
) -> RayBatch:
    """Random objects, a random input view of each, and random rays of random views.

    A share of the rays falls on or within four pixels of the object, where the gradient is. A
    share of the objects is mirrored: the world of the input view at its plane x = 0. A share has
    its colour channels in a random order, which leaves greys and the white ground as they are.
    """
    device = views.rgba.device

    def draw(high: int, *shape: int) -> Tensor:
        return torch.randint(high, shape, device=device, generator=generator)

    n_views = views.rgba.shape[1]
    obj = draw(len(views), objects)
    inputs = draw(n_views, objects)
    targets = draw(n_views, objects, target_views)
    pixels = _draw_pixels(
        views.rgba[obj[:, None], targets].flatten(0, 1), rays, near_share, generator
    )
    size = views.size
    rgba = views.rgba[obj[:, None], targets].flatten(0, 1).flatten(1, 2)
    rgba = rgba.gather(1, pixels[..., None].expand(-1, -1, 4))
    where = torch.stack([pixels % size, pixels // size], dim=-1).float() + 0.5
    angle = -views.azimuths[obj, inputs][:, None].expand(-1, target_views)
    poses = turn_poses(views.poses[obj[:, None], targets], angle).flatten(0, 1)
    origins, directions = camera_rays(poses, where, fov_deg=views.fov_deg, size=size)
    framed = views.framed[obj, inputs]
    flips = torch.rand(objects, device=device, generator=generator) < mirror
    sign = torch.ones(objects, 1, 3, device=device)
    sign[..., 0] -= 2.0 * flips[:, None]
    framed = torch.where(flips[:, None, None, None], framed.flip(2), framed)
    rgba = rgba.reshape(objects, -1, 4)
    if recolour:
        order = torch.rand(objects, 3, device=device, generator=generator).argsort(1)
        kept = torch.rand(objects, 1, device=device, generator=generator) >= recolour
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
