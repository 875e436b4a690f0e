"""Posed pictures of objects to learn from, in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from hyperdemo.render.cameras import turn_about_y


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

    def some(self, objects: Int[Tensor, " m"]) -> ViewSet:
        """Some of the objects, in this order."""
        names, kinds = ([kept[k] for k in objects.tolist()] for kept in (self.ids, self.classes))
        tensors = (t[objects] for t in (self.rgba, self.framed, self.poses, self.turns))
        return ViewSet(tuple(names), tuple(kinds), *tensors, self.fov_deg)

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
