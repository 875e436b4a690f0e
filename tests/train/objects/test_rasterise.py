"""Pictures of boxes and squares against silhouettes worked out by hand."""

import math

import numpy as np
import pytest
from PIL import Image

from hyperdemo.render.cameras import look_at_origin
from train.objects.obj import Material, Mesh, parse_obj

SIZE = 64
FOCAL = 0.5 * SIZE / math.tan(math.radians(20))


@pytest.fixture(scope="module")
def draw(egl):
    """Function that renders a mesh from (azimuth, elevation) pairs."""
    from train.objects.rasterise import Rasteriser

    with Rasteriser(SIZE, fov_deg=40.0) as rasteriser:

        def render(mesh, *angles, textures=None):
            poses = np.stack([look_at_origin(float(a), float(e)) for a, e in angles])
            return rasteriser.render(mesh, poses, textures)

        yield render


def square(material: Material | None = None, *, half=0.5, centre=(0.0, 0.0, 0.0)) -> Mesh:
    """A square that faces +z."""
    corners = np.array([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], dtype=np.float32)
    uvs = (corners[:, :2] + 1) / 2
    picks = np.array([(0, 1, 2), (0, 2, 3)])
    positions = (corners * half + np.array(centre, dtype=np.float32))[picks]
    normals = np.zeros((2, 3, 3), dtype=np.float32)
    normals[..., 2] = 1
    return Mesh(positions, normals, uvs[picks], np.zeros(2, int), (material or Material("m"),))


def box(width: float, height: float, depth: float) -> Mesh:
    x, y, z = width / 2, height / 2, depth / 2
    vertices = [(i, j, k) for i in (-x, x) for j in (-y, y) for k in (-z, z)]
    text = [f"v {i} {j} {k}" for i, j, k in vertices]
    text += ["f 1 2 4 3", "f 5 6 8 7", "f 1 2 6 5", "f 3 4 8 7", "f 1 3 7 5", "f 2 4 8 6"]
    return parse_obj(text, lambda name: None)


def extent(view: np.ndarray, axis: int) -> tuple[int, int]:
    """First pixel covered by more than half and first one after it, over rows (0) or columns."""
    covered = np.flatnonzero((view[..., 3] > 127).any(axis=1 - axis))
    return int(covered[0]), int(covered[-1]) + 1


@pytest.mark.parametrize(
    ("azimuth", "width", "depth"), [(0, 1.2, 0.4), (90, 0.4, 1.2), (180, 1.2, 0.4)]
)
def test_the_silhouette_of_a_box_is_its_near_face(draw, azimuth, width, depth) -> None:
    view = draw(box(1.2, 0.8, 0.4), (azimuth, 0))[0]
    for axis, side in ((1, width), (0, 0.8)):
        reach = FOCAL * side / 2 / (3.0 - depth / 2)
        expected = (SIZE / 2 - reach, SIZE / 2 + reach)
        np.testing.assert_allclose(extent(view, axis), expected, atol=0.6)


def test_up_is_up_right_is_right_and_azimuth_turns_towards_x(draw) -> None:
    above, right, front = (
        square(half=0.1, centre=c) for c in ((0, 0.6, 0), (0.6, 0, 0), (0, 0, 0.6))
    )
    assert extent(draw(above, (0, 0))[0], 0)[1] < SIZE / 2
    assert extent(draw(right, (0, 0))[0], 1)[0] > SIZE / 2
    # From +x, what stands towards +z is on the left.
    assert extent(draw(front, (89, 0))[0], 1)[1] < SIZE / 2


def test_the_unit_sphere_fits(draw) -> None:
    angle = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    text = [f"v {math.cos(a):.6f} {math.sin(a):.6f} 0" for a in angle]
    disc = parse_obj([*text, "f " + " ".join(map(str, range(1, 65)))], lambda name: None)
    first, last = extent(draw(disc, (0, 0))[0], 1)
    assert first >= 2 and last <= SIZE - 2


@pytest.mark.parametrize("opacity", [0.25, 0.5, 1.0])
def test_opacity_becomes_alpha_and_leaves_the_colour_straight(draw, opacity) -> None:
    solid, glass = (
        draw(square(Material("m", (0.2, 0.6, 0.4), o)), (0, 0))[0] for o in (1.0, opacity)
    )
    middle = slice(SIZE // 2 - 5, SIZE // 2 + 5)
    assert (glass[middle, middle, 3] == round(opacity * 255)).all()
    covered = glass[..., 3] > 0
    assert (glass[covered][:, :3] == solid[SIZE // 2, SIZE // 2, :3]).all()
    assert (glass[~covered] == 0).all()


def test_what_stands_behind_glass_shows_through(draw) -> None:
    back = square(Material("back", (1, 0, 0)), centre=(0, 0, -0.5))
    pane = square(Material("pane", (0, 0, 1), 0.5))
    both = Mesh(
        *(np.concatenate([getattr(back, n), getattr(pane, n)]) for n in FIELDS),
        np.array([0, 0, 1, 1]),
        back.materials + pane.materials,
    )
    red, _, blue, alpha = draw(both, (0, 0))[0, SIZE // 2, SIZE // 2].astype(int)
    assert alpha == 255 and abs(red - blue) <= 1 and red > 40


FIELDS = ("positions", "normals", "uvs")


def test_a_texture_stands_upright_and_replaces_the_colour(draw) -> None:
    image = Image.new("RGBA", (32, 32), (255, 255, 255, 255))
    image.paste((255, 0, 0, 255), (0, 0, 16, 16))  # top left
    image.paste((0, 0, 0, 0), (16, 0, 32, 16))  # top right, a hole
    mesh = square(Material("m", (0, 0, 0), 1.0, "picture.png"))
    view = draw(mesh, (0, 0), textures={"picture.png": image})[0]
    off = round(FOCAL * 0.25 / 3.0)
    top, bottom = SIZE // 2 - off, SIZE // 2 + off
    assert view[top, top, 0] > 100 and view[top, top, 1] < 5
    assert view[top, bottom, 3] == 0
    assert view[bottom, bottom, :3].min() > 100


def test_colour_does_not_depend_on_the_view(draw) -> None:
    centres = draw(square(), (0, 0), (40, 0), (-30, 45))[:, SIZE // 2, SIZE // 2]
    assert (centres == centres[0]).all()


def test_winding_and_inward_normals_do_not_matter(draw) -> None:
    mesh = box(1.0, 0.8, 0.6)
    inside_out = Mesh(
        mesh.positions[:, ::-1], -mesh.normals[:, ::-1], mesh.uvs, mesh.material, mesh.materials
    )
    angles = (30, 20)
    np.testing.assert_array_equal(draw(mesh, angles), draw(inside_out, angles))


def test_the_top_is_lighter_than_the_sides(draw) -> None:
    view = draw(box(1.0, 1.0, 1.0), (180, 40))[0, ..., :3].max(axis=-1)
    assert view[SIZE // 3, SIZE // 2] > view[2 * SIZE // 3, SIZE // 2] > 60
