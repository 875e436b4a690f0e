"""A baked field as a triangle mesh with vertex colours, and the mesh as a GLB file.

The surface is where a stretch of `_SURFACE_DEPTH` of the density would stop half of the light.
Axes are the world's: y up, which is glTF's up too.
"""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import torch
import trimesh
from jaxtyping import Float
from scipy import ndimage
from skimage import measure

from hyperdemo.inr.radiance import Field
from hyperdemo.render.bake import BakedField, bake

_SURFACE_DEPTH = 0.05
_MIN_PEAK_DENSITY = 0.5
_RESOLUTION, _COARSEST = 96, 24
_MAX_FACES = 120_000
_MIN_SHARE = 0.01  # of the whole area, below which a part is dropped


class NoSurface(ValueError):
    """The field is empty, or so faint that it has no surface: a result, and not a mistake."""


def extract_mesh(
    source: BakedField | Field,
    *,
    resolution: int = _RESOLUTION,
    device: torch.device | str = "cpu",
) -> trimesh.Trimesh:
    """The surface of a field: closed, with colours, at most 120,000 faces, without crumbs.

    It lies at the density that stops half of the light within 0.05 units, or at half of the peak
    where the field is fainter. Colours are the field's own (sRGB, as the pictures it was trained
    on), 8 bits in `mesh.visual.vertex_colors`.

    Args:
        source: a baked field, or a field to be baked.
        resolution: nodes along each axis at most, 24 or more; a finer grid is resampled.
        device: of the points that a field takes.

    Raises:
        NoSurface: the field is empty.
        ValueError: the resolution is out of range.
    """
    if resolution < _COARSEST:
        raise ValueError(f"a resolution of at least {_COARSEST} expected, got {resolution}")
    if not isinstance(source, BakedField):
        source = bake(source, resolution=resolution // 4 * 4, device=device)
    peak = float(source.density.max())
    if peak < _MIN_PEAK_DENSITY:
        raise NoSurface(
            f"the field is empty: its density peaks at {peak:.3g}, so there is no surface to "
            "export. Try a picture with a clear object in it"
        )
    level = min(math.log(2) / _SURFACE_DEPTH, 0.5 * peak)
    side = min(resolution, source.resolution)
    mesh = _surface(source, level, side)
    while len(mesh.faces) > _MAX_FACES and side > _COARSEST:
        # Faces grow with the square of the resolution.
        shrunk = int(side * math.sqrt(_MAX_FACES / len(mesh.faces)))
        side = max(_COARSEST, min(shrunk, side - 1))
        mesh = _surface(source, level, side)
    _drop_crumbs(mesh)
    colours = _colours_at(source, np.asarray(mesh.vertices))
    mesh.visual.vertex_colors = np.round(colours * 255).astype(np.uint8)
    return mesh


def mesh_to_glb(mesh: trimesh.Trimesh) -> bytes:
    """A binary glTF 2.0 file with positions, normals and colours.

    glTF multiplies vertex colours in linear light, so the sRGB colours of the mesh are decoded
    first, and stored as floats: 8 linear bits would band in the dark. There is no material: beside
    one, trimesh takes no notice of the colours. Blender then makes a matte one that shows them;
    three.js a rough metal, which takes a light with a direction or surroundings to be seen.

    Raises:
        NoSurface: the mesh has no faces.
    """
    if not len(mesh.faces):
        raise NoSurface("the mesh has no faces, so there is nothing to write")
    srgb = np.asarray(mesh.visual.vertex_colors, np.float32)[:, :3] / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    positions = np.asarray(mesh.vertices, "<f4")
    parts = {
        "POSITION": positions,
        "NORMAL": np.asarray(mesh.vertex_normals, "<f4"),
        "COLOR_0": linear.astype("<f4"),
        "indices": np.asarray(mesh.faces, "<u4").reshape(-1),
    }
    views, accessors, offset = [], [], 0
    for number, (name, data) in enumerate(parts.items()):
        target, component, kind = (
            (34963, 5125, "SCALAR") if name == "indices" else (34962, 5126, "VEC3")
        )
        view = {"buffer": 0, "byteOffset": offset, "byteLength": data.nbytes, "target": target}
        views.append(view)
        accessors.append(
            {"bufferView": number, "componentType": component, "count": len(data), "type": kind}
        )
        offset += data.nbytes
    accessors[0] |= {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}
    return _pack_glb(views, accessors, b"".join(data.tobytes() for data in parts.values()))


def _pack_glb(views: list[dict], accessors: list[dict], binary: bytes) -> bytes:
    """Header, JSON chunk and binary chunk (glTF 2.0 specification, section 4.4)."""
    attributes = {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}
    document = {
        "asset": {"version": "2.0", "generator": "hyperdemo"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "object"}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 3}]}],
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(binary)}],
    }
    text = json.dumps(document, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<I4s", len(text), b"JSON") + text
    chunks += struct.pack("<I4s", len(binary), b"BIN\0") + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


def _surface(baked: BakedField, level: float, side: int) -> trimesh.Trimesh:
    """Marching cubes at one resolution, closed at the unit sphere."""
    # Opacity saturates as the eye does, so that its 0.5 crossing between two nodes lies where the
    # surface is seen; the density itself, far from linear there, would puff the surface up.
    opacity = 1.0 - np.exp2(-baked.density / np.float32(level))
    if side != baked.resolution:
        opacity = ndimage.zoom(opacity, side / baked.resolution, order=1)
    side = opacity.shape[0]
    axis = np.linspace(-1.0, 1.0, side, dtype=np.float32)
    square = axis * axis
    radius = np.sqrt(square[:, None, None] + square[:, None] + square)
    # One cell of ramp down to the unit sphere, which bounds what the renderers see and, standing
    # within the grid, closes the surface.
    opacity = np.minimum(opacity, 0.5 + (1.0 - radius) * np.float32(side / 4))
    if not opacity.max() > 0.5:
        raise NoSurface("the field is too fine for this resolution: nothing is left of it")
    vertices, faces, _, _ = measure.marching_cubes(opacity, level=0.5, allow_degenerate=False)
    vertices = vertices * (2.0 / (side - 1)) - 1.0
    mesh = trimesh.Trimesh(vertices, faces, process=True)
    if mesh.volume < 0:
        mesh.invert()
    return mesh


def _drop_crumbs(mesh: trimesh.Trimesh) -> None:
    """Drop connected parts of less than a share of the area; the largest always stays."""
    labels = trimesh.graph.connected_component_labels(
        mesh.face_adjacency, node_count=len(mesh.faces)
    )
    areas = np.bincount(labels, weights=mesh.area_faces)
    keep = (areas >= _MIN_SHARE * areas.sum()) | (areas == areas.max())
    if not keep.all():
        mesh.update_faces(keep[labels])
        mesh.remove_unreferenced_vertices()


def _colours_at(baked: BakedField, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Colour in [0, 1] at points, from the nodes round each one, weighted by their density.

    The weights draw the colour from within the object; nodes outside may hold none.
    """
    top = baked.resolution - 1
    place = np.clip((points + 1.0) * (0.5 * top), 0, top)
    low = np.minimum(place.astype(np.int64), top - 1)
    share = place - low
    rgb, total = np.zeros((len(points), 3)), np.full(len(points), 1e-12)
    colours = baked.rgb
    for corner in np.ndindex(2, 2, 2):
        node = tuple((low + corner).T)
        weight = np.where(corner, share, 1.0 - share).prod(axis=1) * baked.density[node]
        rgb += weight[:, None] * colours[node]
        total += weight
    return rgb / (255.0 * total[:, None])
