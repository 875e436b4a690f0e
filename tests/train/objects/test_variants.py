"""Variants of objects: the same kind of thing in other proportions and colours."""

import numpy as np
from PIL import Image

from train.objects.obj import Material, Mesh
from train.objects.variants import LIGHTNESS, STRETCH, original_id, variant_id, vary

PAINT = Material("paint", diffuse=(0.2, 0.4, 0.6))
GREY = Material("steel", diffuse=(0.5, 0.5, 0.5), opacity=0.7)
CLOTH = Material("cloth", texture="cloth.png")


def sphere(n: int = 24) -> Mesh:
    """Unit sphere of latitude-longitude triangles whose corners' normals are their positions."""
    u, v = np.meshgrid(np.linspace(0.1, np.pi - 0.1, n), np.linspace(0, 6.2, n), indexing="ij")
    corner = np.stack([np.sin(u) * np.cos(v), np.cos(u), np.sin(u) * np.sin(v)], -1)
    soup = np.stack([corner[:-1, :-1], corner[1:, :-1], corner[:-1, 1:]], axis=2).reshape(-1, 3, 3)
    soup = soup.astype(np.float32)
    material = np.arange(len(soup)) % 3
    return Mesh(soup, soup, np.zeros((len(soup), 3, 2), np.float32), material, (PAINT, GREY, CLOTH))


def cloth() -> Image.Image:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., :3], pixels[..., 3] = (100, 40, 20), 128
    return Image.fromarray(pixels)


def test_names_tell_a_variant_from_its_original():
    assert variant_id("scopia-chair", 0) == "scopia-chair"
    assert variant_id("scopia-chair", 2) == "scopia-chair+2"
    assert original_id("scopia-chair+2") == original_id("scopia-chair") == "scopia-chair"


def test_a_variant_is_fixed_by_its_name_and_leaves_the_original_alone():
    mesh, textures = sphere(), {"cloth.png": cloth()}
    before = mesh.positions.copy()
    one, painted = vary(mesh, textures, name="a+1")
    again, _ = vary(mesh, textures, name="a+1")
    other, _ = vary(mesh, textures, name="a+2")
    np.testing.assert_array_equal(one.positions, again.positions)
    assert one.materials == again.materials
    assert not np.allclose(one.positions, other.positions)
    np.testing.assert_array_equal(mesh.positions, before)
    assert list(textures) == ["cloth.png"] and one.materials[2].texture in painted


def test_a_stretched_sphere_has_the_normals_of_an_ellipsoid():
    mesh = sphere()
    varied, _ = vary(mesh, {}, name="a+1")
    axes = varied.positions.reshape(-1, 3).max(0) / mesh.positions.reshape(-1, 3).max(0)
    assert axes.max() / axes.min() <= STRETCH and axes.max() / axes.min() > 1.02
    # The gradient of Σ (x / a)² on its surface.
    expected = varied.positions / axes**2
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(varied.normals, expected, atol=1e-5)


def test_colours_change_places_and_lightness_and_greys_stay_grey():
    orders = set()
    for k in range(1, 40):
        varied, painted = vary(sphere(), {"cloth.png": cloth()}, name=f"a+{k}")
        paint, grey, cloth_now = varied.materials
        assert len(set(grey.diffuse)) == 1 and grey.opacity == GREY.opacity
        lightness = grey.diffuse[0] / 0.5
        assert LIGHTNESS[0] <= lightness <= LIGHTNESS[1]
        np.testing.assert_allclose(
            sorted(paint.diffuse), np.array(sorted(PAINT.diffuse)) * lightness, rtol=1e-6
        )
        pixel = np.asarray(painted[cloth_now.texture])[0, 0]
        expected = np.round(np.array([20, 40, 100]) * lightness)
        assert np.abs(np.sort(pixel[:3]) - expected).max() <= 1 and pixel[3] == 128
        orders.add(tuple(np.argsort(paint.diffuse)))
    assert len(orders) == 6
