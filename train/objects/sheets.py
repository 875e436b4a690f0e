"""A rendered object on disk: all its views in one lossless WebP sheet, their cameras in LearnIt's
`transforms.json`. Pixels have straight alpha."""

import json
import math
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

SHEET, TRANSFORMS = "sheet.webp", "transforms.json"
COLUMNS = 8
TILE = 128


def save_sheet(path: Path, views: UInt8[np.ndarray, "n h w 4"]) -> None:
    """Tiles the views row by row, `COLUMNS` a row.

    Raises:
        ValueError: the views do not fill whole rows.
    """
    n, height, width, _ = views.shape
    if n % COLUMNS:
        raise ValueError(f"{n} views do not fill rows of {COLUMNS}; render a multiple of it")
    rows = views.reshape(n // COLUMNS, COLUMNS, height, width, 4).swapaxes(1, 2)
    sheet = rows.reshape(n // COLUMNS * height, COLUMNS * width, 4)
    # Effort beyond this costs seconds and saves a few per cent.
    Image.fromarray(sheet).save(path, lossless=True, quality=20, method=1, exact=True)


def load_sheet(path: str | Path | BinaryIO) -> UInt8[np.ndarray, "n 128 128 4"]:
    """The views of a sheet of 128-pixel tiles in the order of `transforms.json`.

    Raises:
        ValueError: the file is no sheet of such tiles.
    """
    with Image.open(path) as image:
        sheet = np.asarray(image.convert("RGBA"))
    height, width, _ = sheet.shape
    if width != COLUMNS * TILE or height % TILE:
        raise ValueError(
            f"{path} is {width}×{height}; expected {COLUMNS} columns of {TILE}-pixel tiles: "
            "render it again with python -m train.objects.render_views"
        )
    rows = sheet.reshape(height // TILE, TILE, COLUMNS, TILE, 4).swapaxes(1, 2)
    return np.ascontiguousarray(rows.reshape(-1, TILE, TILE, 4))


def save_transforms(
    path: Path,
    poses: Float[np.ndarray, "n 4 4"],
    angles_deg: Float[np.ndarray, "n 2"],
    *,
    fov_deg: float,
) -> None:
    """Writes camera-to-world poses and, as extra keys, their azimuth and elevation."""
    frames = [
        {
            "file_path": f"./{index:03d}",
            "transform_matrix": [[round(float(x), 7) for x in row] for row in pose],
            "azimuth_deg": round(float(azimuth), 4),
            "elevation_deg": round(float(elevation), 4),
        }
        for index, (pose, (azimuth, elevation)) in enumerate(zip(poses, angles_deg, strict=True))
    ]
    text = json.dumps({"camera_angle_x": math.radians(fov_deg), "frames": frames})
    path.write_text(text + "\n")


def load_transforms(path: str | Path) -> tuple[Float[np.ndarray, "n 4 4"], float]:
    """`parse_transforms` of a file."""
    return parse_transforms(json.loads(Path(path).read_text()))


def parse_transforms(content: dict[str, Any]) -> tuple[Float[np.ndarray, "n 4 4"], float]:
    """Camera-to-world poses and the horizontal field of view in radians (`camera_angle_x`)."""
    poses = np.array([f["transform_matrix"] for f in content["frames"]], dtype=np.float32)
    return poses, float(content["camera_angle_x"])
