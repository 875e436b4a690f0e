"""Cameras of the view task: y is up, the object fits the unit sphere, the input stands at +z.

Poses are 4×4 camera-to-world matrices in the OpenGL convention of NeRF: columns right, up,
backwards, position; the camera looks along its −z axis.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import CAMERA_DISTANCE

MAX_POSES, MAX_DISTANCE = 960, 100.0


def look_at_origin(
    azimuth_deg: float, elevation_deg: float, *, distance: float = CAMERA_DISTANCE
) -> Float[np.ndarray, "4 4"]:
    """Camera-to-world of a camera that looks at the origin with y up.

    Azimuth 0 stands on +z and grows towards +x; elevation grows towards +y.

    Raises:
        ValueError: a pole (|elevation| ≥ 90°, where up is undefined) or no positive distance.
    """
    if not abs(elevation_deg) < 90:
        raise ValueError(f"elevation_deg must lie between -90 and 90, got {elevation_deg}")
    if not distance > 0:
        raise ValueError(f"distance must be positive, got {distance}")
    a, e = math.radians(azimuth_deg), math.radians(elevation_deg)
    back = np.array([math.cos(e) * math.sin(a), math.sin(e), math.cos(e) * math.cos(a)])
    right = np.array([math.cos(a), 0.0, -math.sin(a)])
    pose = np.eye(4)
    pose[:3, 0] = right
    pose[:3, 1] = np.cross(back, right)
    pose[:3, 2] = back
    pose[:3, 3] = distance * back
    return pose.astype(np.float32)


def orbit(n_frames: int, elevation_deg: float) -> Float[np.ndarray, "f 4 4"]:
    """One full turn at constant elevation that starts at the input's azimuth and loops."""
    return np.stack([look_at_origin(360.0 * k / n_frames, elevation_deg) for k in range(n_frames)])


def turn_about_y(angle_deg: float) -> Float[np.ndarray, "4 4"]:
    """World rotation about y that adds `angle_deg` to a camera's azimuth."""
    a = math.radians(angle_deg)
    turn = np.eye(4, dtype=np.float32)
    turn[0, 0] = turn[2, 2] = math.cos(a)
    turn[0, 2], turn[2, 0] = math.sin(a), -math.sin(a)
    return turn


def angles_deg(poses: Float[np.ndarray, "n 4 4"]) -> Float[np.ndarray, "n 2"]:
    """Azimuth, from 0 to 360, and elevation in degrees of cameras' positions."""
    x, y, z = poses[:, :3, 3].astype(np.float64).T
    azimuth = np.degrees(np.arctan2(x, z)) % 360.0
    return np.stack([azimuth, np.degrees(np.arctan2(y, np.hypot(x, z)))], axis=-1)


def camera_rays(
    poses: Float[Tensor, "*b 4 4"], pixels: Float[Tensor, "*b n 2"], *, fov_deg: float, size: int
) -> tuple[Float[Tensor, "*b n 3"], Float[Tensor, "*b n 3"]]:
    """Origins and unit directions of the rays through given pixels of square pictures.

    Args:
        poses: camera-to-world matrices.
        pixels: (column, row) in pixels; (0.5, 0.5) is the centre of the top left pixel.
        fov_deg: full field of view across the picture.
        size: side of the picture in pixels.
    """
    focal = 0.5 * size / math.tan(math.radians(fov_deg) / 2)
    x = (pixels[..., 0] - 0.5 * size) / focal
    y = -(pixels[..., 1] - 0.5 * size) / focal
    local = torch.stack([x, y, -torch.ones_like(x)], dim=-1)
    local = local / local.norm(dim=-1, keepdim=True)
    directions = local @ poses[..., :3, :3].transpose(-1, -2)
    origins = poses[..., None, :3, 3].expand_as(directions)
    return origins, directions


def pixel_grid(size: int) -> Float[Tensor, "n 2"]:
    """Centres of all pixels of a square picture, row by row, as (column, row)."""
    centres = torch.arange(size, dtype=torch.float32) + 0.5
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    return torch.stack([columns.flatten(), rows.flatten()], dim=-1)


@dataclass(frozen=True)
class PosedViews:
    """The cameras of a LearnIt or NeRF `transforms.json`.

    Attributes:
        poses: camera-to-world matrices, `[n, 4, 4]`.
        fov_deg: full field of view across the picture.
        images: the picture that belongs to each pose, where the file exists.
    """

    poses: Float[np.ndarray, "n 4 4"]
    fov_deg: float
    images: tuple[Path | None, ...]


def read_transforms(path: str | Path, *, pictures: bool = True) -> PosedViews:
    """Read a LearnIt `transforms.json`: `camera_angle_x` in radians and a pose a frame.

    `file_path` is taken relative to the file, with or without its `.png`.

    Args:
        path: of the file.
        pictures: look for the pictures; without it `images` holds none.

    Raises:
        ValueError: the file is missing, is no JSON, lacks or garbles a field, or names a picture
            outside its folder.
    """
    path = Path(path)
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise ValueError(f"there is no poses file {path}") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is no readable JSON file: {error}") from error
    try:
        fov_deg = math.degrees(float(data["camera_angle_x"]))
        frames = data["frames"]
        poses = np.array([frame["transform_matrix"] for frame in frames], dtype=np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not in LearnIt format: camera_angle_x and frames, each with a 4×4 "
            f"transform_matrix, expected ({error!r})"
        ) from error
    if not 0 < fov_deg < 180:
        raise ValueError(f"{path}: camera_angle_x must lie between 0 and π radians")
    if poses.ndim != 3 or poses.shape[1:] != (4, 4) or not np.isfinite(poses).all():
        raise ValueError(f"{path}: finite 4×4 transform matrices expected, got {poses.shape}")
    images = tuple(_image_of(path, frame) if pictures else None for frame in frames)
    return PosedViews(poses, fov_deg, images)


def read_poses(path: str | Path) -> PosedViews:
    """The cameras of a file to render from: outside the unit sphere that holds the object.

    Raises:
        ValueError: as `read_transforms`; too many poses, or one that is not rigid, or stands in the
            unit sphere or too far away.
    """
    views = read_transforms(path)
    if len(views.poses) > MAX_POSES:
        raise ValueError(f"{path}: at most {MAX_POSES} poses expected, got {len(views.poses)}")
    for index, pose in enumerate(views.poses.astype(np.float64)):
        turn, distance = pose[:3, :3], float(np.linalg.norm(pose[:3, 3]))
        rigid = np.allclose(turn.T @ turn, np.eye(3), atol=1e-3) and np.linalg.det(turn) > 0
        if not rigid or not np.allclose(pose[3], (0, 0, 0, 1)):
            raise ValueError(
                f"{path}: pose {index} is not rigid; its transform_matrix must be a rotation and "
                "a position, without scale, shear or reflection"
            )
        if not 1 <= distance <= MAX_DISTANCE:
            raise ValueError(
                f"{path}: pose {index} stands {distance:g} from the origin; from 1 (the object is "
                f"in the unit sphere) to {MAX_DISTANCE:g} expected"
            )
    return views


def _image_of(path: Path, frame: dict) -> Path | None:
    name, folder = frame.get("file_path"), path.parent
    if not isinstance(name, str):
        return None
    if PurePath(name).is_absolute() or ".." in PurePath(name).parts or "\0" in name:
        raise ValueError(
            f"{path}: file_path {name!r} leads out of the folder; pictures must lie beside the "
            "file or below it"
        )
    for candidate in (folder / name, folder / f"{name}.png"):
        if candidate.is_file():
            return candidate
    return None
