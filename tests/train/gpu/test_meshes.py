"""What a packed mesh loses is less than a view shows."""

import numpy as np
from PIL import Image

from train.gpu.meshes import from_octahedral, octahedral, pack_mesh, unpack_mesh
from train.objects.obj import Material, Mesh


def triangles(count=50, seed=0):
    rng = np.random.default_rng(seed)
    normals = rng.normal(size=(count, 3, 3))
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    materials = (
        Material("plain", diffuse=(0.1, 0.5, 0.9), opacity=0.5),
        Material("list", texture="list"),
        Material("photo", texture="photo"),
        Material("gone", texture="not there"),
    )
    noise = Image.fromarray(rng.integers(0, 256, (2, 9, 3), dtype=np.uint8))
    textures = {"list": noise, "photo": Image.new("RGB", (900, 300), (200, 80, 40))}
    mesh = Mesh(
        rng.uniform(-1, 1, (count, 3, 3)).astype(np.float32),
        normals.astype(np.float32),
        rng.uniform(-2, 3, (count, 3, 2)).astype(np.float32),
        rng.integers(0, 4, count),
        materials,
    )
    return mesh, textures


def in_order(mesh):
    """Triangles sorted by a corner that is theirs alone, each beginning with its lowest corner."""
    rolled = []
    for t in range(len(mesh.positions)):
        first = np.lexsort(mesh.positions[t].round(3).T[::-1])[0]
        rolled.append([np.roll(x[t], -first, 0) for x in (mesh.positions, mesh.normals, mesh.uvs)])
    order = np.lexsort(np.array([parts[0][0] for parts in rolled]).round(3).T[::-1])
    return [np.array([rolled[k][part] for k in order]) for part in range(3)], mesh.material[order]


def test_a_mesh_comes_back_as_it_was_but_for_rounding():
    mesh, textures = triangles()
    found, pictures = unpack_mesh(pack_mesh(mesh, textures))
    (positions, normals, uvs), material = in_order(mesh)
    (positions_2, normals_2, uvs_2), material_2 = in_order(found)
    assert np.abs(positions - positions_2).max() < 1e-4
    assert (normals * normals_2).sum(-1).min() > np.cos(np.radians(1.5))
    moved = uvs - uvs_2  # by whole tiles, the same for all three corners
    assert np.abs(moved - moved.round()).max() < 1e-3
    assert np.abs(moved - moved[:, :1]).max() < 1e-3
    np.testing.assert_array_equal(material, material_2)
    for old, new in zip(mesh.materials, found.materials, strict=True):
        assert (old.diffuse, old.opacity) == (new.diffuse, new.opacity)
    assert found.materials[0].texture is None and found.materials[3].texture is None
    kept = pictures[found.materials[1].texture]
    np.testing.assert_array_equal(np.asarray(kept), np.asarray(textures["list"]))
    photo = pictures[found.materials[2].texture]
    assert photo.size == (256, 85)
    assert np.abs(np.asarray(photo, int) - (200, 80, 40)).max() < 8


def test_normals_in_a_square_are_the_normals():
    rng = np.random.default_rng(1)
    normals = rng.normal(size=(200, 3))
    normals = np.concatenate([normals, np.eye(3), -np.eye(3)])
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    points = octahedral(normals)
    assert np.abs(points).max() <= 1
    np.testing.assert_allclose(from_octahedral(points), normals, atol=1e-6)
