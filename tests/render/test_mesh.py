import io
import json
import math
from functools import partial

import numpy as np
import pytest
import torch
import trimesh

from hyperdemo.render import mesh as mesh_module
from hyperdemo.render.bake import bake
from hyperdemo.render.mesh import extract_mesh, mesh_to_glb
from tests.render.fields import constant, nothing, soft_ball


def ball(points):
    """Red where x > 0 and dark green elsewhere."""
    density, _ = soft_ball(points, radius=0.6, softness=0.01, peak=40.0)
    red, green = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.0, 0.05, 0.02])
    return density, torch.where(points[:, :1] > 0, red, green)


@pytest.fixture(scope="module")
def mesh():
    return extract_mesh(ball)


def stored_colours(glb):
    """COLOR_0 [n, 3] as it stands in the file; trimesh rounds it to 8 bits."""
    text = int.from_bytes(glb[12:16], "little")
    view = json.loads(glb[20 : 20 + text])["bufferViews"][2]
    start = 28 + text + view["byteOffset"]
    return np.frombuffer(glb[start : start + view["byteLength"]], "<f4").reshape(-1, 3)


def load(glb):
    (geometry,) = trimesh.load_scene(io.BytesIO(glb), file_type="glb").geometry.values()
    return geometry


@pytest.mark.parametrize(
    ("radius", "softness", "peak"), [(0.5, 0.02, 60.0), (0.6, 0.002, 400.0), (0.5, 0.02, 4.0)],
    ids=["soft", "hard", "faint"],
)  # fmt: skip
@pytest.mark.parametrize("resolution", [64, 96, 128])
def test_a_ball_is_closed_where_half_of_the_light_stops(resolution, radius, softness, peak):
    level = min(math.log(2) / 0.05, peak / 2)
    # The density is peak · sigmoid(s) at s softnesses inside of the radius.
    surface = radius + softness * math.log(peak / level - 1)
    field = partial(soft_ball, radius=radius, softness=softness, peak=peak)
    for source in (field, bake(field, resolution=resolution)):
        mesh = extract_mesh(source, resolution=resolution)
        assert mesh.is_watertight and mesh.is_winding_consistent
        assert mesh.volume == pytest.approx(4 / 3 * math.pi * surface**3, rel=0.02)


def test_normals_point_outwards(mesh):
    outwards = mesh.triangles_center / np.linalg.norm(mesh.triangles_center, axis=1, keepdims=True)
    assert (np.einsum("ij,ij->i", mesh.face_normals, outwards) > 0.8).all()


def test_colours(mesh):
    x = mesh.vertices[:, 0]
    colours = mesh.visual.vertex_colors[:, :3]
    np.testing.assert_allclose(colours[x > 0.05], [[230, 51, 26]] * (x > 0.05).sum(), atol=1)
    np.testing.assert_allclose(colours[x < -0.05], [[0, 13, 5]] * (x < -0.05).sum(), atol=1)


def test_axes_are_the_worlds():
    centre = torch.tensor([0.1, 0.5, -0.3])
    mesh = extract_mesh(lambda p: soft_ball(p - centre, radius=0.2), resolution=64)
    np.testing.assert_allclose(mesh.centroid, centre, atol=0.01)


def test_colours_come_from_within():
    def red_in_blue_air(points):
        inside = points.norm(dim=-1, keepdim=True) < 0.5
        red, blue = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 0.0, 1.0])
        return 50.0 * inside[:, 0], torch.where(inside, red, blue)

    colours = extract_mesh(red_in_blue_air).visual.vertex_colors
    assert (colours[:, 0] == 255).all() and not colours[:, 1:3].any()


@pytest.mark.parametrize("resolution", [48, 49])
def test_density_up_to_the_border_is_closed_at_the_unit_sphere(resolution):
    mesh = extract_mesh(bake(constant(30.0), resolution=64), resolution=resolution)
    assert mesh.is_watertight
    assert np.linalg.norm(mesh.vertices, axis=1) == pytest.approx(1.0, abs=0.02)


def test_small_parts_are_dropped(monkeypatch):
    far = torch.tensor([0.8, 0.0, 0.0])

    def ball_and_crumb(points):
        crumb, _ = soft_ball(points - far, radius=0.04, softness=0.005)
        density, rgb = ball(points)
        return density + crumb, rgb

    assert extract_mesh(ball_and_crumb).body_count == 1
    monkeypatch.setattr(mesh_module, "_MIN_SHARE", 0.0)
    assert extract_mesh(ball_and_crumb).body_count == 2


def test_faces_are_bounded_and_so_is_the_file(monkeypatch):
    def sponge(points):
        return 40 * torch.sigmoid(30 * torch.sin(12 * points).sum(-1)), points * 0.5 + 0.5

    baked = bake(sponge, resolution=48)
    assert len(extract_mesh(baked).faces) > 15_000
    monkeypatch.setattr(mesh_module, "_MAX_FACES", 10_000)
    mesh = extract_mesh(baked)
    assert 4_000 < len(mesh.faces) <= 10_000
    # At the default bound of 120,000 faces the file stays under 5 MB.
    assert len(mesh_to_glb(mesh)) / len(mesh.faces) * 120_000 < 5_000_000


def test_glb_loads_again_with_linear_colours(mesh):
    again = load(mesh_to_glb(mesh))
    np.testing.assert_allclose(again.vertices, mesh.vertices, atol=1e-6)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    np.testing.assert_allclose(again.vertex_normals, mesh.vertex_normals, atol=1e-6)
    assert again.is_watertight and again.visual.kind == "vertex"
    x, shown = mesh.vertices[:, 0], again.visual.vertex_colors
    # By the sRGB standard: 230/255 → 0.791, 51/255 → 0.0331, 13/255 → 0.00402 (above its toe).
    np.testing.assert_allclose(shown[x > 0.05][:, 0], 255 * 0.791, atol=2)
    linear = stored_colours(mesh_to_glb(mesh))
    np.testing.assert_allclose(linear[x > 0.05][:, 1], 0.0331, atol=0.002)
    np.testing.assert_allclose(linear[x < -0.05][:, 1], 0.00402, atol=0.0005)


def test_glb_is_laid_out_as_the_format_says(mesh):
    glb = mesh_to_glb(mesh)
    assert glb[:4] == b"glTF" and int.from_bytes(glb[4:8], "little") == 2
    assert int.from_bytes(glb[8:12], "little") == len(glb)
    text = int.from_bytes(glb[12:16], "little")
    assert text % 4 == 0 and glb[16:20] == b"JSON" and glb[24 + text : 28 + text] == b"BIN\0"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: extract_mesh(nothing), "the field is empty"),
        (lambda: mesh_to_glb(trimesh.Trimesh()), "no faces"),
        (lambda: extract_mesh(ball, resolution=8), "at least 24 expected, got 8"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
