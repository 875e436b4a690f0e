"""Numba kernels of the fast march. Import this module late: numba takes most of a second.

All lengths in these functions are in grid units (nodes apart) unless the name says world.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from hyperdemo.render.bake import BLOCK

# Numba makes a double of an int and a float32: every constant below is a float32 on purpose.
_ZERO, _HALF, _ONE = np.float32(0.0), np.float32(0.5), np.float32(1.0)
_BLOCK_BITS = BLOCK.bit_length() - 1
# Nodes hold red, green, blue and density in a row.
_CHANNELS = np.uintp(4)
_MIN_TRANSMITTANCE = np.float32(1e-3)
_TABLE_STEPS, _TABLE_END = np.float32(64.0), np.float32(1024.0)
_ATTENUATION = np.exp(-np.arange(1026) / 64).astype(np.float32)
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
def way_out(position, direction, block, distance):
    """Steps along one axis until the ray leaves the slab of empty blocks around this one."""
    if direction > 0:
        return (np.float32((block + distance) * BLOCK) - position) / direction
    if direction < 0:
        return (np.float32((block - distance + 1) * BLOCK) - position) / direction
    return np.float32(1e30)


@intrinsic
def blend(typing_context, values, edges, below, above):
    """Red, green, blue and density at a point of a cell, from the eight nodes round it.

    Numba has no vectors of its own: here the four channels of a node are one, so that eight
    multiply-adds do the work of 32.

    Args:
        values: the grid's numbers, flat, four a node.
        edges: where the cell's four edges along z begin in them.
        below, above: weights of the edges' lower and upper ends, four each.
    """
    found = types.UniTuple(types.float32, 4)

    def build(context, builder, signature, arguments):
        array, *tuples = arguments
        data = make_array(signature.args[0])(context, builder, array).data
        starts, *weights = ([builder.extract_value(t, k) for k in range(4)] for t in tuples)
        int32, vector = ir.IntType(32), ir.VectorType(ir.FloatType(), 4)
        nothing = ir.Constant(vector, ir.Undefined)
        first_lane = ir.Constant(ir.VectorType(int32, 4), [0] * 4)
        total = ir.Constant(vector, [0.0] * 4)
        for end, shares in enumerate(weights):
            for start, share in zip(starts, shares, strict=True):
                place = builder.add(start, ir.Constant(start.type, 4 * end))
                pointer = builder.bitcast(builder.gep(data, [place]), vector.as_pointer())
                node = builder.load(pointer, align=4)
                lane = builder.insert_element(nothing, share, int32(0))
                everywhere = builder.shuffle_vector(lane, nothing, first_lane)
                term = builder.fmul(node, everywhere, flags=("fast",))
                total = builder.fadd(total, term, flags=("fast",))
        channels = [builder.extract_element(total, int32(k)) for k in range(4)]
        return context.make_tuple(builder, signature.return_type, channels)

    return found(values, edges, below, above), build


@_jit
def attenuation(optical):
    """exp(-optical), within 3e-5, from a table: a third of a sample's time less."""
    place = min(optical * _TABLE_STEPS, _TABLE_END)
    number = int(place)
    low, high = _ATTENUATION[np.uintp(number)], _ATTENUATION[np.uintp(number + 1)]
    return low + (place - np.float32(number)) * (high - low)


@_jit
def march_ray(values, skip, side, x0, y0, z0, sx, sy, sz, n_samples, delta):
    """Composite n samples from (x0, y0, z0) by steps (sx, sy, sz).

    Returns:
        Red, green, blue (0 to 1, premultiplied by opacity), the transmittance that is left,
        and the sum of weight × number of the sample.
    """
    red = green = blue = depth = _ZERO
    left = _ONE
    grid = np.uintp(side)
    row, plane = grid * _CHANNELS, grid * grid * _CHANNELS
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
        low = np.uintp(i) * plane + np.uintp(j) * row + np.uintp(k) * _CHANNELS
        last = low + plane + row
        # The cell's four edges along z, and how much each counts.
        edges = (_ONE - u) * (_ONE - v), (_ONE - u) * v, u * (_ONE - v), u * v
        above = edges[0] * w, edges[1] * w, edges[2] * w, edges[3] * w
        below = edges[0] - above[0], edges[1] - above[1], edges[2] - above[2], edges[3] - above[3]
        r, g, b, density = blend(values, (low, low + row, low + plane, last), below, above)
        through = attenuation(delta * density)
        weight = left * (_ONE - through)
        if weight > _MIN_WEIGHT:
            red, green, blue = red + weight * r, green + weight * g, blue + weight * b
            depth += weight * step
        left *= through
        if left < _MIN_TRANSMITTANCE:
            break
        n += 1
    return red, green, blue, left, depth


@_jit
def trace(values, skip, side, pose, focal, steps_a_unit, row, column, out):
    """Write one pixel of out `[size, size, 5]`: see `trace_lattice`."""
    half_grid = _HALF * np.float32(side - 1)
    centre = _HALF * np.float32(out.shape[0])
    ox, oy, oz = pose[0, 3], pose[1, 3], pose[2, 3]
    cy = (centre - (np.float32(row) + _HALF)) / focal
    cx = (np.float32(column) + _HALF - centre) / focal
    norm = _ONE / math.sqrt(cx * cx + cy * cy + _ONE)
    dx = (pose[0, 0] * cx + pose[0, 1] * cy - pose[0, 2]) * norm
    dy = (pose[1, 0] * cx + pose[1, 1] * cy - pose[1, 2]) * norm
    dz = (pose[2, 0] * cx + pose[2, 1] * cy - pose[2, 2]) * norm
    near, far = sphere_span(ox, oy, oz, dx, dy, dz)
    n_samples = int(math.ceil((far - near) * steps_a_unit))
    if n_samples == 0:
        out[row, column] = 0
        return
    delta = (far - near) / np.float32(n_samples)
    start, stride = near + _HALF * delta, delta * half_grid
    red, green, blue, left, depth = march_ray(
        values, skip, side,
        (ox + dx * start + _ONE) * half_grid,
        (oy + dy * start + _ONE) * half_grid,
        (oz + dz * start + _ONE) * half_grid,
        dx * stride, dy * stride, dz * stride,
        n_samples, delta,
    )  # fmt: skip
    out[row, column, 0], out[row, column, 1], out[row, column, 2] = red, green, blue
    out[row, column, 3] = _ONE - left
    out[row, column, 4] = depth * delta + start * (_ONE - left)


@_jit
def trace_lattice(values, skip, side, pose, focal, steps_a_unit, apart, first_row, row_step, out):
    """Trace every `apart`-th pixel along each axis, and the last ones.

    Args:
        pose: camera-to-world `[4, 4]` float32.
        focal: in pixels.
        steps_a_unit: samples a world unit at least.
        first_row, row_step: of the lattice's rows, which ones to do.
        out: red, green, blue (0 to 1, premultiplied), opacity, opacity × distance.
    """
    last = out.shape[0] - 1
    n_rows = (last + apart - 1) // apart + 1
    for number in range(first_row, n_rows, row_step):
        row = min(number * apart, last)
        for index in range(n_rows):
            column = min(index * apart, last)
            trace(values, skip, side, pose, focal, steps_a_unit, row, column, out)


@_jit
def halve_lattice(
    values, skip, side, pose, focal, steps_a_unit, apart, tolerance, first_row, row_step, out
):
    """Write what the lattice with half as much between its pixels has more: by interpolation where
    the four round it differ by no more than the tolerance in colour and opacity, else by tracing.

    Args: as for `trace_lattice`; rows are those of the finer lattice.
    """
    last, half = out.shape[0] - 1, apart // 2
    n_rows = (last + half - 1) // half + 1
    for number in range(first_row, n_rows, row_step):
        row = min(number * half, last)
        above = row // apart * apart
        below = min(above + apart, last)
        v = np.float32(row - above) / np.float32(max(below - above, 1))
        for index in range(n_rows):
            column = min(index * half, last)
            left = column // apart * apart
            right = min(left + apart, last)
            if (row == above or row == last) and (column == left or column == last):
                continue
            u = np.float32(column - left) / np.float32(max(right - left, 1))
            unlike = _ZERO
            for channel in range(4):
                a, b = out[above, left, channel], out[above, right, channel]
                c, d = out[below, left, channel], out[below, right, channel]
                unlike = max(unlike, max(max(a, b), max(c, d)) - min(min(a, b), min(c, d)))
            if unlike > tolerance:
                trace(values, skip, side, pose, focal, steps_a_unit, row, column, out)
                continue
            for channel in range(5):
                a, b = out[above, left, channel], out[above, right, channel]
                c, d = out[below, left, channel], out[below, right, channel]
                upper, lower = a + u * (b - a), c + u * (d - c)
                out[row, column, channel] = upper + v * (lower - upper)
