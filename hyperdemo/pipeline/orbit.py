"""Frames of an orbit in chunks, rendered ahead of the consumer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from jaxtyping import Float, UInt8

from hyperdemo.config import CAMERA_DISTANCE, CAMERA_FOV_DEG
from hyperdemo.events import Frames

Shot = Callable[[Float[np.ndarray, "4 4"], float, int], tuple[np.ndarray, ...]]
"""From pose, fov_deg and size to colour `[h, w, 3]`, opacity and depth `[h, w]`, all floats."""


def rendered_chunks(
    shots: Mapping[str, Shot],
    cameras: Float[np.ndarray, "n 4 4"],
    *,
    size: int,
    chunk_frames: int,
    n_workers: int,
) -> Iterator[Frames]:
    """Render all models over the same chunks, the next chunk while one is consumed.

    Closing the generator stops the work once the frames under way are finished.

    Args:
        shots: one per model; they are called from several threads.
        cameras: camera-to-world matrices of the frames.
        size: side of a frame in pixels.
        chunk_frames: frames per chunk; the last may be shorter.
        n_workers: frames at a time.
    """
    pool = ThreadPoolExecutor(n_workers)

    def submit(start: int) -> dict[str, list[Future]]:
        coming: dict[str, list[Future]] = {name: [] for name in shots}
        for pose in cameras[start : start + chunk_frames]:
            for name, shot in shots.items():
                coming[name].append(pool.submit(_frame, shot, pose, size))
        return coming

    try:
        due = submit(0)
        for start in range(0, len(cameras), chunk_frames):
            coming = submit(start + chunk_frames)
            taken = {name: [one.result() for one in frames] for name, frames in due.items()}
            yield Frames(
                start,
                {name: np.stack([rgb for rgb, _ in pairs]) for name, pairs in taken.items()},
                {name: np.stack([depth for _, depth in pairs]) for name, pairs in taken.items()},
            )
            due = coming
    finally:
        pool.shutdown(cancel_futures=True)


def _frame(
    shot: Shot, pose: Float[np.ndarray, "4 4"], size: int
) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w 3"]]:
    """One frame as colour and as depth."""
    rgb, alpha, depth = shot(pose, CAMERA_FOV_DEG, size)
    return to_bytes(rgb), depth_picture(depth, alpha)


def depth_picture(
    depth: Float[np.ndarray, "h w"], alpha: Float[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Depth as grey: the near side of the unit sphere black, the far side light, over white."""
    near, far = CAMERA_DISTANCE - 1.0, CAMERA_DISTANCE + 1.0
    shade = np.clip((depth - near) / (far - near), 0.0, 1.0) * 0.85
    grey = shade * alpha + 1.0 - alpha
    return np.repeat(to_bytes(grey)[..., None], 3, axis=-1)


def to_bytes(image: np.ndarray) -> np.ndarray:
    """Values in [0, 1] as 0 to 255, rounded and clipped."""
    return (np.clip(image, 0.0, 1.0) * np.float32(255.0) + np.float32(0.5)).astype(np.uint8)
