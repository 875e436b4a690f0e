"""Numba kernels of the fast march. Import this module late: numba takes most of a second.

All lengths in these functions are in grid units (nodes apart) unless the name says world.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np

from hyperdemo.render.bake import BLOCK, LANE_BITS

# Numba makes a double of an int and a float32: every constant below is a float32 on purpose.
_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
_SIXTEEN, _PER_CELL = np.float32(16.0), np.float32(1.0 / 16**3)
_BLOCK_BITS = BLOCK.bit_length() - 1
_LANE_BITS, _LANE = np.uint64(LANE_BITS), np.uint64((1 << LANE_BITS) - 1)
_MIN_TRANSMITTANCE = np.float32(1e-3)
# Below this weight a sample's colour cannot show in 8 bits, but its opacity still counts.
_MIN_WEIGHT = np.float32(2e-5)


def _jit(function: Callable) -> Callable:
    options = {"nogil": True, "fastmath": True, "error_model": "numpy"}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # Neither the checkout nor the home folder can be written: compile once a process.
        return numba.njit(**options)(function)


@_jit
def sphere_span(ox, oy, oz, dx, dy, dz):
    """World distances of entry to and exit from the unit sphere; equal where the ray misses."""
    middle = -(ox * dx + oy * dy + oz * dz)
    closest2 = ox * ox + oy * oy + oz * oz - middle * middle
    half = math.sqrt(max(_ONE - closest2, _ZERO))
    return max(middle - half, _ZERO), max(middle + half, _ZERO)


@_jit
def trilinear(density, node, side, u, v, w):
    """Density at the fraction (u, v, w) of the cell whose lowest node has this flat number."""
    a, b, c = node, node + side, node + side * side
    d = c + side
    next_ = np.uintp(1)
    c00 = density[a] + w * (density[a + next_] - density[a])
    c01 = density[b] + w * (density[b + next_] - density[b])
    c10 = density[c] + w * (density[c + next_] - density[c])
    c11 = density[d] + w * (density[d + next_] - density[d])
    c0 = c00 + v * (c01 - c00)
    return c0 + u * (c10 + v * (c11 - c10) - c0)


@_jit
def trilinear_rgb(packed, node, side, u, v, w):
    """Colour, 0 to 255, at a fraction of a cell, from colours packed by `bake.pack_rgb`.

    All three channels are blended at once, in whole numbers: three rounds of weights in sixteenths
    of a cell make 8 bits of colour 20 bits long, and a lane has 21.
    """
    wu = np.uint64(np.int64(u * _SIXTEEN + _HALF))
    wv = np.uint64(np.int64(v * _SIXTEEN + _HALF))
    ww = np.uint64(np.int64(w * _SIXTEEN + _HALF))
    full, next_ = np.uint64(16), np.uintp(1)
    a, b, c = node, node + side, node + side * side
    d = c + side
    c00 = packed[a] * (full - ww) + packed[a + next_] * ww
    c01 = packed[b] * (full - ww) + packed[b + next_] * ww
    c10 = packed[c] * (full - ww) + packed[c + next_] * ww
    c11 = packed[d] * (full - ww) + packed[d + next_] * ww
    lanes = (c00 * (full - wv) + c01 * wv) * (full - wu) + (c10 * (full - wv) + c11 * wv) * wu
    red = np.float32(np.int64(lanes & _LANE))
    green = np.float32(np.int64((lanes >> _LANE_BITS) & _LANE))
    blue = np.float32(np.int64(lanes >> (_LANE_BITS + _LANE_BITS)))
    return red * _PER_CELL, green * _PER_CELL, blue * _PER_CELL


@_jit
def way_out(position, direction, block, distance):
    """Steps along one axis until the ray leaves the slab of empty blocks around this one."""
    if direction > 0:
        return (np.float32((block + distance) * BLOCK) - position) / direction
    if direction < 0:
        return (np.float32((block - distance + 1) * BLOCK) - position) / direction
    return np.float32(1e30)


@_jit
def march_ray(density, packed, skip, side, x0, y0, z0, sx, sy, sz, n_samples, near, delta):
    """Composite n samples from (x0, y0, z0) by steps (sx, sy, sz).

    Returns:
        Red, green, blue (0 to 255, premultiplied by opacity), the transmittance that is left,
        and the sum of weight × world distance.
    """
    red = green = blue = depth = _ZERO
    left = _ONE
    grid = np.uintp(side)
    top = side - 2
    blocks = np.uintp(side // BLOCK)
    n = 0
    while n < n_samples:
        step = np.float32(n)
        x, y, z = x0 + step * sx, y0 + step * sy, z0 + step * sz
        i, j, k = min(max(int(x), 0), top), min(max(int(y), 0), top), min(max(int(z), 0), top)
        bi, bj, bk = i >> _BLOCK_BITS, j >> _BLOCK_BITS, k >> _BLOCK_BITS
        empty = np.int64(skip[(np.uintp(bi) * blocks + np.uintp(bj)) * blocks + np.uintp(bk)])
        if empty > 0:
            steps = min(way_out(x, sx, bi, empty), way_out(y, sy, bj, empty))
            n += int(max(min(steps, way_out(z, sz, bk, empty)), _ZERO)) + 1
            continue
        u, v, w = x - np.float32(i), y - np.float32(j), z - np.float32(k)
        node = (np.uintp(i) * grid + np.uintp(j)) * grid + np.uintp(k)
        through = math.exp(-delta * trilinear(density, node, grid, u, v, w))
        weight = left * (_ONE - through)
        if weight > _MIN_WEIGHT:
            r, g, b = trilinear_rgb(packed, node, grid, u, v, w)
            red, green, blue = red + weight * r, green + weight * g, blue + weight * b
            depth += weight * (near + (step + _HALF) * delta)
        left *= through
        if left < _MIN_TRANSMITTANCE:
            break
        n += 1
    return red, green, blue, left, depth


@_jit
def march_rows(density, packed, skip, side, pose, focal, steps_a_unit, first_row, row_step, out):
    """Fill rows first_row, first_row + row_step, … of out `[size, size, 5]` (float32).

    Args:
        pose: camera-to-world `[4, 4]` float32.
        focal: in pixels.
        steps_a_unit: samples a world unit at least.
        out: red, green, blue (0 to 1, premultiplied), opacity, opacity × distance.
    """
    size = out.shape[0]
    half_grid = _HALF * np.float32(side - 1)
    centre = _HALF * np.float32(size)
    ox, oy, oz = pose[0, 3], pose[1, 3], pose[2, 3]
    for row in range(first_row, size, row_step):
        cy = (centre - (np.float32(row) + _HALF)) / focal
        for column in range(size):
            cx = (np.float32(column) + _HALF - centre) / focal
            norm = _ONE / math.sqrt(cx * cx + cy * cy + _ONE)
            dx = (pose[0, 0] * cx + pose[0, 1] * cy - pose[0, 2]) * norm
            dy = (pose[1, 0] * cx + pose[1, 1] * cy - pose[1, 2]) * norm
            dz = (pose[2, 0] * cx + pose[2, 1] * cy - pose[2, 2]) * norm
            near, far = sphere_span(ox, oy, oz, dx, dy, dz)
            n_samples = int(math.ceil((far - near) * steps_a_unit))
            if n_samples == 0:
                out[row, column] = 0
                continue
            delta = (far - near) / np.float32(n_samples)
            start, stride = near + _HALF * delta, delta * half_grid
            red, green, blue, left, depth = march_ray(
                density, packed, skip, side,
                (ox + dx * start + _ONE) * half_grid,
                (oy + dy * start + _ONE) * half_grid,
                (oz + dz * start + _ONE) * half_grid,
                dx * stride, dy * stride, dz * stride,
                n_samples, near, delta,
            )  # fmt: skip
            scale = np.float32(1.0 / 255.0)
            out[row, column, 0] = red * scale
            out[row, column, 1] = green * scale
            out[row, column, 2] = blue * scale
            out[row, column, 3] = _ONE - left
            out[row, column, 4] = depth
