import numpy as np
import pytest
import torch

from hyperdemo.inr import as_field
from hyperdemo.render.bake import BLOCK, BakedField, bake
from tests import tiny
from tests.render.fields import constant, nothing, soft_ball, thin_rod, waves


def nodes(resolution):
    axis = torch.linspace(-1, 1, resolution)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def inside_sphere(resolution):
    return (nodes(resolution).norm(dim=-1) <= 1).numpy()


def everywhere(field, resolution):
    """The naive twin: every node within the unit sphere, in one call."""
    density, rgb = field(nodes(resolution)[inside_sphere(resolution)])
    return density.numpy(), rgb.numpy()


@pytest.mark.parametrize("field", [soft_ball, thin_rod, waves])
def test_agrees_with_evaluating_every_node(field):
    baked = bake(field, resolution=96, tolerance=0.01)
    density, rgb = everywhere(field, 96)
    assert baked.density.dtype == np.float32 and baked.resolution == 96
    inside = inside_sphere(96)
    stopped = [1 - np.exp(-4 * 2 / 95 * sigma) for sigma in (baked.density[inside], density)]
    assert stopped[1].max() > 0.2
    # A node that nobody compared may be off by more than those that were.
    assert np.abs(stopped[0] - stopped[1]).max() < 0.03
    off = np.abs(baked.rgb[inside] / 255.0 - rgb.clip(0, 1)).max(axis=1)
    assert (off * stopped[1]).max() < 0.03


def test_without_tolerance_every_node_is_the_fields_own():
    found = bake(waves, resolution=32, tolerance=-1.0).values[inside_sphere(32)]
    density, rgb = everywhere(waves, 32)
    np.testing.assert_allclose(found[:, 3], density, atol=1e-5)
    np.testing.assert_allclose(found[:, :3], rgb, atol=1e-5)


# An eighth of the nodes, a sixteenth to compare with, and what lies round the sphere.
@pytest.mark.parametrize(
    ("field", "share"), [(constant(1.0), 0.25), (thin_rod, 0.25), (soft_ball, 0.45)]
)
def test_evaluates_only_where_it_matters(field, share):
    assert bake(field, resolution=96).n_evaluated < share * inside_sphere(96).sum()


def test_a_field_is_evaluated_at_nodes_if_it_can_be():
    field = as_field(tiny.FIELD, tiny.params())
    by_points = bake(lambda points: field(points), resolution=32)
    by_nodes = bake(field, resolution=32)
    assert by_nodes.density.std() > 0.01
    np.testing.assert_allclose(by_nodes.values, by_points.values, atol=1e-4)


def test_evaluates_in_chunks_and_no_point_twice():
    seen = []

    def field(points):
        seen.append(points)
        return soft_ball(points)

    baked = bake(field, resolution=64, chunk=500)
    points = torch.cat(seen)
    assert max(map(len, seen)) <= 500 and len(points) == baked.n_evaluated
    assert len(torch.unique(points, dim=0)) == len(points)


def test_skip_is_the_distance_to_the_nearest_block_with_density():
    off_centre = torch.tensor([0.3, 0.1, -0.2])
    baked = bake(
        lambda points: soft_ball(points - off_centre, radius=0.3), resolution=64, min_density=0.05
    )
    side = 64 // BLOCK
    dense = np.pad(baked.density > 0.05, (0, 1))
    blocks = np.array(list(np.ndindex(side, side, side)))
    support = [tuple(slice(BLOCK * b, BLOCK * b + BLOCK + 1) for b in block) for block in blocks]
    occupied = np.array([dense[part].any() for part in support])
    assert 0 < occupied.sum() < len(blocks)
    gaps = np.abs(blocks[:, None] - blocks[occupied]).max(axis=-1).min(axis=1)
    np.testing.assert_array_equal(baked.skip.reshape(-1), gaps)


def test_an_empty_field_is_skipped():
    baked = bake(nothing, resolution=64)
    assert not baked.density.any() and (baked.skip > 0).all()


def test_colours_in_bytes():
    values = np.random.default_rng(0).random((8, 8, 8, 4), np.float32)
    baked = BakedField(values, np.ones((2, 2, 2), np.uint8), n_evaluated=0)
    np.testing.assert_array_equal(baked.rgb, np.floor(values[..., :3] * 255 + 0.5))
    np.testing.assert_array_equal(baked.density, values[..., 3])
    assert baked.n_bytes == 8**3 * 16 + 8


@pytest.mark.parametrize(
    ("field", "resolution", "message"),
    [(soft_ball, side, "multiple of 4 from 8 to 512") for side in (0, 4, 30, 1024)]
    + [(constant(torch.nan), 16, "not finite")],
)
def test_refuses(field, resolution, message):
    with pytest.raises(ValueError, match=message):
        bake(field, resolution=resolution)


def test_refuses_arrays_that_do_not_fit():
    with pytest.raises(ValueError, match="one cubic grid"):
        BakedField(np.zeros((8, 8, 8, 4), np.float32), np.zeros((3, 3, 3), np.uint8), n_evaluated=0)
