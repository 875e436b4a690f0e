"""OBJ and MTL text against normals and triangles worked out by hand."""

import math

import numpy as np
import pytest

from train.objects.obj import clip_ears, parse_mtl, parse_obj

# A roof: two faces that share the ridge (vertices 1 and 2) and lean 20 degrees to each side.
SLOPE = math.radians(20)
ROOF = f"""
v 0 0 0
v 0 0 1
v {math.cos(SLOPE)} {-math.sin(SLOPE)} 0
v {-math.cos(SLOPE)} {-math.sin(SLOPE)} 0
"""
RIGHT = (math.sin(SLOPE), math.cos(SLOPE), 0.0)
LEFT = (-math.sin(SLOPE), math.cos(SLOPE), 0.0)
CUBE = """
v -1 -1 -1
v 1 -1 -1
v 1 1 -1
v -1 1 -1
v -1 -1 1
v 1 -1 1
v 1 1 1
v -1 1 1
s 1
f 1 4 3 2
f 5 6 7 8
f 1 5 8 4
f 2 3 7 6
f 1 2 6 5
f 4 8 7 3
"""


def read(text: str, mtl: str | None = None):
    return parse_obj(text.splitlines(), lambda name: mtl)


def areas(mesh) -> np.ndarray:
    edges = mesh.positions[:, 1:] - mesh.positions[:, :1]
    return np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=-1) / 2


def test_one_smoothing_group_is_smooth_over_the_ridge_and_flat_at_the_eaves() -> None:
    mesh = read(ROOF + "s 1\nf 1 2 3\nf 2 1 4\n")
    np.testing.assert_allclose(mesh.normals[0], [(0, 1, 0), (0, 1, 0), RIGHT], atol=1e-6)
    np.testing.assert_allclose(mesh.normals[1], [(0, 1, 0), (0, 1, 0), LEFT], atol=1e-6)


@pytest.mark.parametrize("groups", [("s off", "s off"), ("s 0", "s 0"), ("s 1", "s 2"), ("", "")])
def test_no_group_and_two_groups_are_flat(groups: tuple[str, str]) -> None:
    mesh = read(f"{ROOF}{groups[0]}\nf 1 2 3\n{groups[1]}\nf 2 1 4\n")
    np.testing.assert_allclose(mesh.normals[0], [RIGHT] * 3, atol=1e-6)
    np.testing.assert_allclose(mesh.normals[1], [LEFT] * 3, atol=1e-6)


def test_normals_are_weighted_by_angle_not_by_area() -> None:
    long = ROOF.replace(f"v {math.cos(SLOPE)} {-math.sin(SLOPE)} 0", "v 90 -32.7573 0")
    mesh = read(long + "s 1\nf 1 2 3\nf 2 1 4\n")
    np.testing.assert_allclose(mesh.normals[0, 0], (0, 1, 0), atol=1e-5)


def test_a_cube_in_one_group_keeps_its_edges() -> None:
    mesh = read(CUBE)
    assert len(mesh.positions) == 12
    np.testing.assert_allclose(areas(mesh), 2.0)
    np.testing.assert_allclose(np.abs(mesh.normals).max(axis=-1), 1.0, atol=1e-6)
    outward = np.einsum("tci,tci->tc", mesh.normals, mesh.positions)
    np.testing.assert_allclose(outward, 1.0, atol=1e-6)


def test_given_normals_win_over_groups() -> None:
    mesh = read(ROOF + "vn 0 0 2\ns 1\nf 1//1 2//1 3//1\nf 2 1 4\n")
    np.testing.assert_allclose(mesh.normals[0], [(0, 0, 1)] * 3)


def test_materials_carry_colour_opacity_and_texture() -> None:
    found = parse_mtl(
        "newmtl glass\nKd 0.1 0.2 0.3\nd 0.25\nnewmtl ghost\nTr 0.9\n"
        "newmtl wood\nKd 0 0 0\nmap_Kd C:\\My Pictures\\oak wood.jpg\n"
    )
    assert found["glass"].diffuse == (0.1, 0.2, 0.3)
    assert found["glass"].opacity == 0.25
    assert found["ghost"].opacity == pytest.approx(0.1)
    assert found["wood"].texture == "C:/My Pictures/oak wood.jpg"


def test_faces_know_their_material_and_an_unknown_one_is_plain() -> None:
    text = ROOF + "mtllib a.mtl\nusemtl red\nf 1 2 3\nusemtl lost\nf 2 1 4\n"
    mesh = read(text, "newmtl red\nKd 1 0 0\n")
    first, second = (mesh.materials[i] for i in mesh.material)
    assert first.diffuse == (1, 0, 0)
    assert (second.name, second.texture, second.opacity) == ("lost", None, 1.0)


def test_texture_coordinates_follow_their_own_index() -> None:
    mesh = read(ROOF + "vt 0 0\nvt 1 0\nvt 0.5 1 0\nf 1/3 2/1 3/2\n")
    np.testing.assert_allclose(mesh.uvs[0], [(0.5, 1), (0, 0), (1, 0)])


def test_faces_of_two_vertices_and_without_area_are_dropped() -> None:
    mesh = read(ROOF + "f 1 2\nf 1 2 2\nl 1 2\nf 1 2 3\n")
    assert len(mesh.positions) == 1


def test_relative_indices_count_from_where_they_stand() -> None:
    triangle = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\n"
    mesh = read(triangle + triangle.replace("v 0", "v 5"))
    assert mesh.positions[0].min() == 0 and mesh.positions[1, 0, 0] == 5


def test_a_concave_quad_is_split_by_its_inner_diagonal() -> None:
    # A dart: the corner at (0.2, 0.2) points inwards. Its area is 0.2.
    for start in range(4):
        order = [(start + i) % 4 + 1 for i in range(4)]
        mesh = read("v 0 0 0\nv 1 0 0\nv 0.2 0.2 0\nv 0 1 0\nf " + " ".join(map(str, order)))
        assert areas(mesh).sum() == pytest.approx(0.2)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("turn", [1, -1])
def test_a_concave_polygon_keeps_its_area(axis: int, turn: int) -> None:
    # The letter L, of area 3, in each coordinate plane and both windings.
    flat = np.array([(0, 0), (2, 0), (2, 1), (1, 1), (1, 2), (0, 2)], dtype=float)[::turn]
    points = np.insert(flat, axis, 0.0, axis=1)
    ears = clip_ears(points)
    assert len(ears) == 4
    corners = points[np.array(ears)]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.abs(normals).sum() / 2 == pytest.approx(3.0)
    assert len({tuple(n) for n in np.sign(normals)}) == 1


def test_text_without_a_surface_is_refused() -> None:
    with pytest.raises(ValueError, match="no face"):
        read("v 0 0 0\nv 1 0 0\nf 1 2\n")
