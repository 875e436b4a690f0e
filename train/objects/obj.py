"""Wavefront OBJ and MTL text → triangles with normals, texture coordinates and materials.

Written for models of mixed origin: it keeps smoothing groups and opacity, which general mesh
loaders drop, and survives faces of two vertices and concave polygons.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

# A box exported as one smoothing group must keep its edges, a coarse cylinder must not show them:
# a corner takes in the faces of its group that lean no further than this from its own.
CREASE_DEG = 60.0
# Seen where the texture that gives the colour is missing and the file left the colour black.
FALLBACK_GREY = (0.6, 0.6, 0.6)
PALETTE_ROWS = 2
"""A texture of no more rows is a list of colours: mixing neighbours would invent others."""


@dataclass(frozen=True)
class Material:
    """Surface of a mesh part: colour in [0, 1], opacity in [0, 1], texture path or None."""

    name: str
    diffuse: tuple[float, float, float] = (0.8, 0.8, 0.8)
    opacity: float = 1.0
    texture: str | None = None


@dataclass(frozen=True)
class Mesh:
    """Triangle soup: every corner has its own position, unit normal and texture coordinate."""

    positions: Float[np.ndarray, "t 3 3"]
    normals: Float[np.ndarray, "t 3 3"]
    uvs: Float[np.ndarray, "t 3 2"]
    material: Int[np.ndarray, " t"]
    materials: tuple[Material, ...]

    def subset(self, keep: np.ndarray) -> "Mesh":
        """The triangles picked by a boolean mask or an index array."""
        return replace(
            self,
            positions=self.positions[keep],
            normals=self.normals[keep],
            uvs=self.uvs[keep],
            material=self.material[keep],
        )


def parse_mtl(text: str) -> dict[str, Material]:
    """Reads materials by name; `d` and `Tr` become opacity, options before a path are skipped."""
    found: dict[str, Material] = {}
    name = None
    for line in text.splitlines():
        key, _, rest = line.strip().partition(" ")
        rest = rest.strip()
        if key == "newmtl":
            name = rest
            found[name] = Material(name)
        elif name is None or not rest:
            continue
        elif key == "Kd":
            red, green, blue = (float(x) for x in rest.split()[:3])
            found[name] = replace(found[name], diffuse=(red, green, blue))
        elif key == "d":
            found[name] = replace(found[name], opacity=float(rest.split()[-1]))
        elif key == "Tr":
            found[name] = replace(found[name], opacity=1.0 - float(rest.split()[-1]))
        elif key == "map_Kd":
            found[name] = replace(found[name], texture=rest.replace("\\", "/"))
    return found


class _Builder:
    """Collects the statements of one OBJ file; a corner is an index into `corners`."""

    def __init__(self) -> None:
        self.v: list[str] = []
        self.vt: list[str] = []
        self.vn: list[str] = []
        self.corners: list[tuple[int, int, int]] = []
        self._corner_of: dict[str, int] = {}
        # One list for each number of vertices: (corners…, smoothing group, material)
        self.triangles: list[tuple[int, ...]] = []
        self.quads: list[tuple[int, ...]] = []
        self.polygons: list[tuple[list[int], int, int]] = []

    def corner(self, token: str) -> int:
        """Index of a corner such as `7/2/5`, `7//5` or `-1`; missing parts are −1."""
        known = self._corner_of.get(token)
        if known is not None:
            return known
        parts = [int(p) if p else 0 for p in token.split("/")] + [0, 0]
        sizes = (len(self.v), len(self.vt), len(self.vn))
        index = tuple(p - 1 if p >= 0 else p + n for p, n in zip(parts, sizes, strict=False))
        self.corners.append(index)  # type: ignore[arg-type]
        if "-" not in token:  # a relative index means something else further down
            self._corner_of[token] = len(self.corners) - 1
        return len(self.corners) - 1

    def face(self, tokens: list[str], group: int, material: int) -> None:
        ids = [self.corner(t) for t in tokens]
        if len(ids) == 3:
            self.triangles.append((*ids, group, material))
        elif len(ids) == 4:
            self.quads.append((*ids, group, material))
        elif len(ids) > 4:
            self.polygons.append((ids, group, material))
        # Fewer than three vertices have no surface.


def parse_obj(lines: Iterable[str], load_mtl: Callable[[str], str | None]) -> Mesh:
    """Reads OBJ statements into triangles.

    Args:
        lines: the file's lines.
        load_mtl: text of a material library by the name in `mtllib`, None where it is missing.

    Returns:
        The mesh. Normals missing from the file follow its smoothing groups; faces in no group are
        flat. Degenerate triangles are dropped.

    Raises:
        ValueError: the file holds no face with an area.
    """
    builder = _Builder()
    library: dict[str, Material] = {}
    names: dict[str, int] = {}
    group, material = 0, names.setdefault("", 0)
    for line in lines:
        key, _, rest = line.strip().partition(" ")
        if key == "f":
            builder.face(rest.split(), group, material)
        elif key in ("v", "vt", "vn"):
            getattr(builder, key).append(rest)
        elif key == "usemtl":
            material = names.setdefault(rest.strip(), len(names))
        elif key == "s":
            group = 0 if rest.strip() in ("off", "0", "null") else int(rest)
        elif key == "mtllib":
            library |= parse_mtl(load_mtl(rest.strip()) or "")
    materials = tuple(library.get(name, Material(name)) for name in names)
    return _assemble(builder, materials)


def _assemble(builder: _Builder, materials: tuple[Material, ...]) -> Mesh:
    v, vt, vn = _floats(builder.v, 3), _floats(builder.vt, 2), _floats(builder.vn, 3)
    corners = np.array(builder.corners, dtype=np.int64).reshape(-1, 3)
    faces = np.concatenate(
        [
            np.array(builder.triangles, dtype=np.int64).reshape(-1, 5),
            _split_quads(np.array(builder.quads, dtype=np.int64).reshape(-1, 6), v, corners),
            _split_polygons(builder.polygons, v, corners),
        ]
    )
    corner = corners[faces[:, :3]]  # t 3 (v, vt, vn)
    positions = v[corner[..., 0]]
    solid = np.linalg.norm(_area_normals(positions), axis=-1) > 0
    if not solid.any():
        raise ValueError("the OBJ text holds no face with an area; is it a 3D model?")
    faces, corner, positions = faces[solid], corner[solid], positions[solid]
    uvs = _take(vt, corner[..., 1])
    given = _take(vn, corner[..., 2])
    lengths = np.linalg.norm(given, axis=-1, keepdims=True)
    computed = smooth_normals(positions, corner[..., 0], faces[:, 3])
    normals = np.where(lengths > 1e-6, given / np.maximum(lengths, 1e-6), computed)
    return Mesh(
        positions.astype(np.float32),
        normals.astype(np.float32),
        uvs.astype(np.float32),
        faces[:, 4].astype(np.int32),
        materials,
    )


def _floats(rows: list[str], width: int) -> Float[np.ndarray, "n width"]:
    """Numbers of `v`, `vt` or `vn` rows; further columns (weights, vertex colours) are dropped."""
    return np.array([[float(x) for x in r.split()[:width]] for r in rows]).reshape(-1, width)


def _take(table: Float[np.ndarray, "n k"], index: Int[np.ndarray, "t 3"]) -> np.ndarray:
    """Rows of the table; zeros where the index is −1 or past the end."""
    padded = np.concatenate([table, np.zeros((1, table.shape[1]))])
    return padded[np.where((index >= 0) & (index < len(table)), index, len(table))]


def _area_normals(triangles: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 3"]:
    """Face normals whose length is twice the area."""
    return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])


def smooth_normals(
    positions: Float[np.ndarray, "t 3 3"],
    vertex: Int[np.ndarray, "t 3"],
    group: Int[np.ndarray, " t"],
) -> Float[np.ndarray, "t 3 3"]:
    """Unit normals at corners, smooth within smoothing groups.

    Args:
        positions: corners of triangles with an area.
        vertex: which vertex each corner is.
        group: smoothing group of each triangle; 0 is none.

    Returns:
        The mean, weighted by the angle at the corner, of the faces that share the vertex and the
        group and lean at most `CREASE_DEG` from the face; in group 0 the face's own normal.
    """
    flat = _area_normals(positions)
    flat = (flat / np.linalg.norm(flat, axis=-1, keepdims=True)).astype(np.float32)
    normals = np.repeat(flat[:, None], 3, axis=1)
    smooth = np.flatnonzero(group > 0)
    if not len(smooth):
        return normals
    key = vertex[smooth] * (int(group.max()) + 1) + group[smooth, None]
    own = np.repeat(flat[smooth], 3, axis=0)
    weighted = own * _corner_angles(positions[smooth]).reshape(-1, 1)
    # Sorted by key, the corners that meet are neighbours: list all pairs of each meeting.
    order = np.argsort(key.reshape(-1), kind="stable")
    _, start, count = np.unique(key.reshape(-1)[order], return_index=True, return_counts=True)
    start, count = np.repeat(start, count), np.repeat(count, count)
    first = np.repeat(np.arange(len(order)), count)
    second = np.arange(len(first)) - np.repeat(np.cumsum(count) - count - start, count)
    first, second = order[first], order[second]
    near = np.einsum("pi,pi->p", own[first], own[second]) > np.cos(np.radians(CREASE_DEG))
    first, second = first[near], second[near]
    sums = np.stack(
        [np.bincount(first, weighted[second, axis], len(order)) for axis in range(3)], axis=-1
    )
    lengths = np.linalg.norm(sums, axis=-1, keepdims=True)
    normals[smooth] = np.where(lengths > 1e-6, sums / np.maximum(lengths, 1e-6), own).reshape(
        -1, 3, 3
    )
    return normals


def _corner_angles(triangles: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 3"]:
    """Interior angles in radians."""
    ahead = np.roll(triangles, -1, axis=1) - triangles
    back = np.roll(triangles, 1, axis=1) - triangles
    cross = np.linalg.norm(np.cross(ahead, back), axis=-1)
    return np.arctan2(cross, np.einsum("tci,tci->tc", ahead, back))


def _split_quads(quads: np.ndarray, v: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Two triangles a quad, by the diagonal that keeps both on the same side (concave quads)."""
    tail = quads[:, 4:]
    a, b, c, d = (quads[:, i] for i in range(4))
    points = v[corners[quads[:, :4], 0]]
    first = _area_normals(points[:, [0, 1, 2]])
    second = _area_normals(points[:, [0, 2, 3]])
    swap = (np.einsum("ti,ti->t", first, second) < 0)[:, None]
    one = np.where(swap, np.stack([a, b, d], -1), np.stack([a, b, c], -1))
    two = np.where(swap, np.stack([b, c, d], -1), np.stack([a, c, d], -1))
    return np.concatenate([np.hstack([one, tail]), np.hstack([two, tail])])


def _split_polygons(
    polygons: list[tuple[list[int], int, int]], v: np.ndarray, corners: np.ndarray
) -> np.ndarray:
    rows = [
        (*(ids[i] for i in ear), group, material)
        for ids, group, material in polygons
        for ear in clip_ears(v[corners[ids, 0]])
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 5)


def clip_ears(points: Float[np.ndarray, "n 3"]) -> list[tuple[int, int, int]]:
    """Triangulates a planar, possibly concave polygon by cutting ears.

    Args:
        points: its vertices in order.

    Returns:
        n − 2 index triples with the polygon's winding. A polygon that crosses itself is fanned.
    """
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)  # Newell's
    drop = int(np.abs(normal).argmax())
    flat = np.delete(points, drop, axis=1)
    if (normal[drop] < 0) != (drop == 1):  # deleting y mirrors the plane
        flat = flat * [-1.0, 1.0]
    left = list(range(len(points)))
    ears = []
    while len(left) > 3:
        for k in range(len(left)):
            trio = left[k - 1], left[k], left[(k + 1) % len(left)]
            others = flat[[i for i in left if i not in trio]]
            if _is_ear(*flat[list(trio)], others):
                ears.append(trio)
                del left[k]
                break
        else:
            return ears + [(left[0], left[i], left[i + 1]) for i in range(1, len(left) - 1)]
    return [*ears, (left[0], left[1], left[2])]


def _is_ear(a: np.ndarray, b: np.ndarray, c: np.ndarray, others: np.ndarray) -> bool:
    """Whether the counter-clockwise triangle a b c turns left and holds none of the points.

    A point on its border counts, since the rest would touch itself there; one at a corner does
    not, since polygons with a hole pass twice through the ends of the cut.
    """

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q[0] - p[0]) * (r[..., 1] - p[1]) - (q[1] - p[1]) * (r[..., 0] - p[0])

    if side(a, b, c) <= 0:
        return False
    inside = (side(a, b, others) >= 0) & (side(b, c, others) >= 0) & (side(c, a, others) >= 0)
    corner = (others[:, None] == np.stack([a, b, c])).all(axis=-1).any(axis=-1)
    return not (inside & ~corner).any()
