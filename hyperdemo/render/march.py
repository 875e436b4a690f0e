"""Fast renderer: march rays through a baked grid, skipping empty space and stopping early.

The quadrature is that of the exact renderer (midpoints between entry to and exit from the unit
sphere, alpha = 1 − exp(−density · delta), white behind); density and colour are interpolated
trilinearly between the nodes of the grid. Where pixels stand closer than the nodes of the grid, as
seen from the camera, not all are traced: every second or fourth along each axis is at first, then
those between are interpolated if the four round them agree, and traced if they do not.
"""

from __future__ import annotations

import functools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from hyperdemo.render.bake import BLOCK, BakedField
from hyperdemo.render.cameras import look_at_origin

_MAX_SUPERSAMPLE = 4
# Between nodes the field is linear, so nothing in it is narrower than two of them.
_MAX_NODES_APART = 2.0


class MarchedView(NamedTuple):
    """One picture, row 0 at the top.

    Attributes:
        rgb: over white, in [0, 1].
        alpha: accumulated opacity in [0, 1].
        depth: opacity-weighted mean distance along the ray in world units; 0 where alpha is 0.
    """

    rgb: Float[np.ndarray, "h w 3"]
    alpha: Float[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]


def march(
    baked: BakedField,
    pose: Float[np.ndarray, "4 4"],
    *,
    fov_deg: float,
    size: int,
    n_steps: int = 128,
    supersample: int | None = None,
    tolerance: float = 0.08,
    n_threads: int | None = None,
) -> MarchedView:
    """One square picture of a baked field, of any size.

    Args:
        baked: what `bake` returned.
        pose: camera-to-world matrix.
        fov_deg: full field of view across the picture.
        size: side of the picture in pixels.
        n_steps: samples along a diameter of the unit sphere; a shorter chord gets its share.
        supersample: rays along the side of a pixel, averaged. By default as many as it takes for
            rays to stand no wider apart than nodes, so that small pictures do not alias.
        tolerance: by how much four rays round a pixel may differ, in colour and opacity, for it
            to be interpolated; below 0 every pixel is traced.
        n_threads: all cores that this process may use by default.

    Raises:
        ValueError: a pose that is no finite 4×4 matrix, or a number out of range.
    """
    pose = np.ascontiguousarray(pose, np.float32)
    _check(pose, fov_deg=fov_deg, size=size, n_steps=n_steps, supersample=supersample)
    nodes_a_pixel = _nodes_a_pixel(baked.resolution, pose, fov_deg=fov_deg, size=size)
    supersample = supersample or rays_a_side(baked.resolution, pose, fov_deg=fov_deg, size=size)
    side = size * supersample
    apart = 1
    while tolerance >= 0 and 2 * apart * nodes_a_pixel / supersample <= _MAX_NODES_APART:
        apart *= 2
    focal = np.float32(0.5 * side / math.tan(math.radians(fov_deg) / 2))
    out = np.empty((side, side, 5), np.float32)
    seen = (
        baked.values.reshape(-1), baked.skip.reshape(-1), baked.resolution,
        pose, focal, np.float32(0.5 * n_steps),
    )  # fmt: skip
    kernels = _kernels()
    threads = max(1, min(n_threads or n_cores(), side))
    passes = [functools.partial(kernels.trace_lattice, *seen, apart)]
    while apart > 1:
        passes.append(functools.partial(kernels.halve_lattice, *seen, apart, np.float32(tolerance)))
        apart //= 2
    if threads == 1:
        for rows in passes:
            rows(0, 1, out)
    else:
        # Interleaved rows share the work evenly; plain threads, since the kernel needs no GIL,
        # and numba's own pool dies when two visitors enter it at once.
        with ThreadPoolExecutor(threads) as pool:
            for rows in passes:
                list(pool.map(lambda first, rows=rows: rows(first, threads, out), range(threads)))
    return _finish(out, supersample)


def rays_a_side(
    resolution: int, pose: Float[np.ndarray, "4 4"], *, fov_deg: float, size: int
) -> int:
    """Rays along the side of a pixel that show all a grid of this resolution holds, 4 at most."""
    nodes_a_pixel = _nodes_a_pixel(resolution, pose, fov_deg=fov_deg, size=size)
    return min(max(1, math.ceil(nodes_a_pixel)), _MAX_SUPERSAMPLE)


def _nodes_a_pixel(
    resolution: int, pose: Float[np.ndarray, "4 4"], *, fov_deg: float, size: int
) -> float:
    """How many nodes of the grid a pixel spans at the distance of the origin."""
    pixel = 2.0 * math.tan(math.radians(fov_deg) / 2) * float(np.linalg.norm(pose[:3, 3])) / size
    return pixel * (resolution - 1) / 2.0


def warm_up() -> None:
    """Compile the kernel, or load it from numba's cache; the first picture then takes no longer."""
    r = 2 * BLOCK
    empty = BakedField(
        np.zeros((r, r, r, 4), np.float32), np.ones((2, 2, 2), np.uint8), n_evaluated=0
    )
    march(empty, look_at_origin(0.0, 0.0), fov_deg=40.0, size=64, n_threads=1)


def _finish(out: Float[np.ndarray, "h w 5"], supersample: int) -> MarchedView:
    if supersample > 1:
        side = out.shape[0] // supersample
        out = out.reshape(side, supersample, side, supersample, 5).mean(axis=(1, 3))
    alpha = out[..., 3]
    rgb = np.clip(out[..., :3] + (1.0 - alpha)[..., None], 0.0, 1.0)
    depth = out[..., 4] / np.maximum(alpha, 1e-8)
    return MarchedView(rgb, np.ascontiguousarray(alpha), depth)


def _check(
    pose: np.ndarray, *, fov_deg: float, size: int, n_steps: int, supersample: int | None
) -> None:
    if pose.shape != (4, 4) or not np.isfinite(pose).all():
        raise ValueError(f"a finite 4×4 camera-to-world matrix expected, got {pose.shape}")
    if not 0 < fov_deg < 180:
        raise ValueError(f"fov_deg must lie between 0 and 180, got {fov_deg}")
    for name, value in (("size", size), ("n_steps", n_steps), ("supersample", supersample)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


@functools.cache
def n_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _kernels():
    from hyperdemo.render import march_kernels

    return march_kernels
