"""Meshes small enough to travel: coordinates and normals in few bits, textures as small WebP."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from train.objects.obj import PALETTE_ROWS, Material, Mesh

MAX_TEXTURE = 256
"""A view has 128 pixels, each of 4×4 samples: more than this is hardly ever seen."""
QUALITY = 80
PIXEL_ART = 128**2
"""Texels of the largest texture that is kept without loss: its texels are seen one by one."""
STEPS, TILTS = 2**14 - 1, 2**6 - 1
"""Of a coordinate, a hundredth of a pixel each, and of a normal, a degree."""

Arrays = dict[str, np.ndarray]


def pack_mesh(mesh: Mesh, textures: Mapping[str, Image.Image]) -> Arrays:
    """Arrays of whole numbers that hold a mesh in the unit sphere and its textures."""
    uvs, scale = _within_one_tile(mesh.uvs)
    parts = (mesh.positions + 1) / 2 * STEPS, octahedral(mesh.normals) * TILTS, uvs / scale * STEPS
    corners = np.round(np.concatenate(parts, axis=-1)).astype(np.int32)
    vertices, index = np.unique(corners.reshape(-1, 7), axis=0, return_inverse=True)
    # Neighbours beside each other: differences of indices are small then.
    order = np.argsort(_morton(vertices[:, :3]), kind="stable")
    vertices, index = vertices[order], np.argsort(order)[index.reshape(-1, 3)]
    index, material = _sorted_triangles(index, mesh.material)
    used = sorted({m.texture for m in mesh.materials if m.texture in textures})
    materials = [
        [*m.diffuse, m.opacity, used.index(m.texture) if m.texture in used else -1]
        for m in mesh.materials
    ]
    files = [_webp(textures[path]) for path in used]
    about = {"materials": materials, "uv_scale": scale, "sizes": [len(f) for f in files]}
    return {
        # Axis by axis they compress better.
        "positions": vertices[:, :3].T.astype(np.uint16),
        "normals": vertices[:, 3:5].T.astype(np.int8),
        "uvs": vertices[:, 5:].T.astype(np.uint16),
        "index": _differences(index).T.astype(np.int32),
        "material": material.astype(np.uint16),
        "textures": np.frombuffer(b"".join(files), np.uint8),
        "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
    }


def unpack_mesh(arrays: Mapping[str, np.ndarray]) -> tuple[Mesh, dict[str, Image.Image]]:
    """The mesh and its textures, by names of their own; the inverse of `pack_mesh`."""
    about = json.loads(arrays["about"].tobytes())
    index = arrays["index"].T.astype(np.int64)
    index[:, 0] = index[:, 0].cumsum()
    index[:, 1:] += index[:, :1]
    ends = np.cumsum([0, *about["sizes"]])
    data = arrays["textures"].tobytes()
    textures = {
        str(k): Image.open(io.BytesIO(data[start:end]))
        for k, (start, end) in enumerate(zip(ends[:-1], ends[1:], strict=True))
    }
    materials = tuple(
        Material(str(k), diffuse=(r, g, b), opacity=a, texture=str(t) if t >= 0 else None)
        for k, (r, g, b, a, t) in enumerate(about["materials"])
    )
    mesh = Mesh(
        (arrays["positions"].T.astype(np.float32) / STEPS * 2 - 1)[index],
        from_octahedral(arrays["normals"].T.astype(np.float32) / TILTS)[index],
        (arrays["uvs"].T.astype(np.float32) / STEPS * about["uv_scale"])[index],
        arrays["material"].astype(np.int64),
        materials,
    )
    return mesh, textures


def octahedral(normals: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
    """Unit vectors as points of a square of side 2 (Meyer et al., 2010)."""
    x, y, z = np.moveaxis(normals / np.abs(normals).sum(-1, keepdims=True).clip(1e-9), -1, 0)
    sign = np.where(normals[..., :2] >= 0, 1.0, -1.0)
    folded = (1 - np.abs(np.stack([y, x], axis=-1))) * sign
    return np.where(z[..., None] < 0, folded, np.stack([x, y], axis=-1))


def from_octahedral(points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 3"]:
    """The inverse of `octahedral`."""
    x, y = np.moveaxis(points, -1, 0)
    z = 1 - np.abs(x) - np.abs(y)
    under = np.maximum(-z, 0)[..., None]
    xy = points - under * np.where(points >= 0, 1.0, -1.0)
    normals = np.concatenate([xy, z[..., None]], axis=-1)
    return (normals / np.linalg.norm(normals, axis=-1, keepdims=True)).astype(np.float32)


def _morton(points: Int[np.ndarray, "n 3"]) -> Int[np.ndarray, " n"]:
    """Places along a curve that keeps neighbours in space together: the axes' bits in turn."""
    bits = (points[:, :, None].astype(np.int64) >> np.arange(STEPS.bit_length())) & 1
    return (bits << (3 * np.arange(STEPS.bit_length()) + np.arange(3)[:, None])).sum((1, 2))


def _sorted_triangles(
    index: Int[np.ndarray, "t 3"], material: Int[np.ndarray, " t"]
) -> tuple[Int[np.ndarray, "t 3"], Int[np.ndarray, " t"]]:
    """Triangles turned to begin with their first vertex, in its order; materials stay together."""
    turned = (index.argmin(axis=1)[:, None] + np.arange(3)) % 3
    index = np.take_along_axis(index, turned, axis=1)
    order = np.lexsort((*index.T[::-1], material))
    return index[order], material[order]


def _differences(index: Int[np.ndarray, "t 3"]) -> Int[np.ndarray, "t 3"]:
    """First vertices from triangle to triangle, and the others' from their own first."""
    first = np.diff(index[:, :1], axis=0, prepend=0)
    return np.concatenate([first, index[:, 1:] - index[:, :1]], axis=1)


def _within_one_tile(uvs: Float[np.ndarray, "t 3 2"]) -> tuple[Float[np.ndarray, "t 3 2"], float]:
    """Textures repeat, so each triangle is moved to begin in the first tile; the largest
    coordinate then."""
    finite = np.nan_to_num(uvs.astype(np.float64), posinf=0.0, neginf=0.0)
    moved = finite - np.floor(finite.min(axis=1, keepdims=True))
    return moved, max(1.0, float(moved.max(initial=0.0)))


def _webp(image: Image.Image) -> bytes:
    image = image.convert("RGBA")
    palette = min(image.size) <= PALETTE_ROWS
    if not palette:
        image.thumbnail((MAX_TEXTURE, MAX_TEXTURE), Image.Resampling.BOX)
    if image.getextrema()[3][0] == 255:
        image = image.convert("RGB")
    out = io.BytesIO()
    exact = palette or image.width * image.height <= PIXEL_ART
    image.save(out, "WEBP", quality=QUALITY, lossless=exact, method=4)
    return out.getvalue()
