"""A baked field as a file of a megabyte, for a renderer that runs elsewhere: the visitor's browser.

One gzip stream, little-endian: the letters HVOL, the resolution r (uint32), the largest density
(float32, 1/world unit), then four planes of r³ bytes, red, green, blue and density, then the skip
distances of the (r / 4)³ blocks. Axes are z, y, x, so x runs fastest, as in a 3D texture.

Density is coded as 255·sqrt(density / largest): thin haze, of which rays cross much, keeps its
shades. A reader decodes before it interpolates; the root's average is not the density's. Each
plane holds differences along x, then y, modulo 256, which gzip packs to two thirds.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from hyperdemo.render.bake import BLOCK, BakedField

_MAGIC = b"HVOL"
_HEADER = struct.Struct("<4sIf")
_MAX_DENSITY = 6e4  # graphics cards interpolate half floats, which end at 65504
_FAST = 1  # gzip's level: higher ones take five times as long for a tenth


@dataclass(frozen=True)
class Volume:
    """What a volume file says, on the nodes of the grid it was baked on, axes x, y, z.

    Attributes:
        density: 1/world unit.
        rgb: 0 to 255.
        skip: as in `BakedField`.
    """

    density: Float[np.ndarray, "r r r"]
    rgb: UInt8[np.ndarray, "r r r 3"]
    skip: UInt8[np.ndarray, "c c c"]


def pack_volume(baked: BakedField) -> bytes:
    """The file of a baked field.

    Nodes that no marched cell touches are written as empty, and empty nodes beside dense ones take
    on their colour, or interpolation would darken every edge.
    """
    density = np.minimum(baked.density, np.float32(_MAX_DENSITY))
    density = np.where(_touched(baked.skip == 0), density, np.float32(0))
    largest = density.max()
    share = density / largest if largest > 0 else density
    code = np.rint(255 * np.sqrt(share)).astype(np.uint8)
    rgb = _bled(baked.rgb, code > 0)
    planes = [_differences(plane) for plane in (*np.moveaxis(rgb, -1, 0), code)]
    parts = [_HEADER.pack(_MAGIC, baked.resolution, largest), *planes, _bytes(baked.skip)]
    return gzip.compress(b"".join(parts), _FAST, mtime=0)


def unpack_volume(packed: bytes) -> Volume:
    """Read a file of `pack_volume`; densities are off by up to a 255th of the largest one.

    Raises:
        ValueError: it is no such file, or is cut short.
    """
    try:
        data = gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"a volume file expected, got no whole gzip stream: {error}") from error
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        raise ValueError(f"a volume file begins with {_MAGIC!r}, this one with {data[:4]!r}")
    _, side, largest = _HEADER.unpack_from(data)
    blocks = side // BLOCK
    expected = _HEADER.size + 4 * side**3 + blocks**3
    if len(data) != expected:
        raise ValueError(f"{expected} bytes expected at resolution {side}, got {len(data)}")
    body = np.frombuffer(data, np.uint8, offset=_HEADER.size)
    planes = body[: 4 * side**3].reshape(4, side, side, side)
    summed = planes.cumsum(axis=2, dtype=np.uint8).cumsum(axis=3, dtype=np.uint8)
    red, green, blue, code = (plane.transpose(2, 1, 0) for plane in summed)
    skip = body[4 * side**3 :].reshape((blocks,) * 3).transpose(2, 1, 0)
    density = np.float32(largest) * np.square(code / np.float32(255))
    return Volume(density, np.stack([red, green, blue], axis=-1), skip)


def _touched(occupied: Bool[np.ndarray, "c c c"]) -> Bool[np.ndarray, "r r r"]:
    """Nodes at a corner of a cell of an occupied block."""
    for axis in range(3):
        nodes = np.moveaxis(occupied.repeat(BLOCK, axis=axis), axis, 0)
        reached = nodes.copy()
        reached[1:] |= nodes[:-1]
        occupied = np.moveaxis(reached, 0, axis)
    return occupied


def _bled(
    rgb: UInt8[np.ndarray, "r r r 3"], dense: Bool[np.ndarray, "r r r"]
) -> UInt8[np.ndarray, "r r r 3"]:
    """Colours of dense nodes, carried one node on along each axis in turn; black elsewhere.

    A node between two others gets their mean.
    """
    bled, filled = np.where(dense[..., None], rgb, np.uint8(0)), dense.copy()
    for axis in range(3):
        colour, full = np.moveaxis(bled, axis, 0), np.moveaxis(filled, axis, 0)
        below, above = np.zeros_like(full), np.zeros_like(full)
        below[1:], above[:-1] = full[:-1], full[1:]
        rim = ~full & (below | above)
        k, *others = np.nonzero(rim)
        first = colour[np.where(below[rim], k - 1, k + 1), *others].astype(np.uint16)
        second = colour[np.where(above[rim], k + 1, k - 1), *others]
        colour[rim] = (first + second + 1) // 2
        full |= rim
    return bled


def _differences(plane: UInt8[np.ndarray, "r r r"]) -> bytes:
    zero = np.uint8(0)
    return _bytes(np.diff(np.diff(plane, axis=0, prepend=zero), axis=1, prepend=zero))


def _bytes(values: UInt8[np.ndarray, "n n n"]) -> bytes:
    return values.transpose(2, 1, 0).tobytes()
