import numpy as np
import pytest
import torch

from hyperdemo.inr import as_field
from hyperdemo.render.bake import BLOCK, BakedField, bake, touched_blocks
from tests import tiny


def soft_ball(points, radius=0.5, softness=0.02, peak=60.0):
    distance = points.norm(dim=-1)
    return peak * torch.sigmoid((radius - distance) / softness), points * 0.5 + 0.5


def thin_rod(points):
    """A rod along y, off the middle and about one node of a 64 grid across."""
    across = (points[:, 0] - 0.313).abs().maximum((points[:, 2] + 0.127).abs())
    inside = (across < 0.017) & (points[:, 1].abs() < 0.8)
    return 80.0 * inside, torch.full_like(points, 0.25)


def nodes(resolution):
    axis = torch.linspace(-1, 1, resolution)
    return torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), dim=-1)


def everywhere(field, resolution):
    """The naive twin: every node of the grid, in one call."""
    points = nodes(resolution)
    density, rgb = field(points.reshape(-1, 3))
    shape = (resolution,) * 3
    return density.reshape(shape).numpy(), rgb.reshape(*shape, 3).numpy()


def waves(points):
    """Haze that swells and fades, and colours that do so faster."""
    density = 3.0 + 2.0 * torch.sin(4.0 * points).prod(dim=-1)
    return density, 0.5 + 0.5 * torch.sin(12.0 * points)


@pytest.mark.parametrize("field", [soft_ball, thin_rod, waves])
def test_agrees_with_evaluating_every_node(field):
    baked = bake(field, resolution=96, tolerance=0.01)
    density, rgb = everywhere(field, 96)
    assert baked.density.dtype == np.float32 and baked.resolution == 96
    inside = (nodes(96).norm(dim=-1) <= 1).numpy()
    stopped = [1 - np.exp(-4 * 2 / 95 * sigma[inside]) for sigma in (baked.density, density)]
    assert stopped[1].max() > 0.2
    # A node that nobody compared may be off by more than those that were.
    assert np.abs(stopped[0] - stopped[1]).max() < 0.03
    off = np.abs(baked.rgb / 255.0 - rgb.clip(0, 1))[inside].max(axis=1)
    assert (off * stopped[1]).max() < 0.03


def test_without_tolerance_every_node_is_the_fields_own():
    baked = bake(waves, resolution=32, tolerance=-1.0)
    density, rgb = everywhere(waves, 32)
    inside = (nodes(32).norm(dim=-1) <= 1).numpy()
    np.testing.assert_allclose(baked.density[inside], density[inside], atol=1e-5)
    np.testing.assert_allclose(baked.values[inside][:, :3], rgb[inside], atol=1e-5)


def test_evaluates_only_where_it_matters():
    def haze(points):
        return torch.ones(len(points)), torch.zeros_like(points)

    inside = (nodes(96).norm(dim=-1) <= 1).sum().item()
    for field in (haze, thin_rod):
        # An eighth of the nodes, a sixteenth to compare with, and what lies round the sphere.
        assert bake(field, resolution=96).n_evaluated < 0.25 * inside
    assert bake(soft_ball, resolution=96).n_evaluated < 0.45 * inside


def test_a_field_is_asked_at_nodes_if_it_can_be():
    params = tiny.params()
    field = as_field(tiny.FIELD, params)
    by_points = bake(lambda points: field(points), resolution=32)
    by_nodes = bake(field, resolution=32)
    assert by_nodes.density.std() > 0.01
    np.testing.assert_allclose(by_nodes.values, by_points.values, atol=1e-4)


def test_counts_and_asks_in_chunks():
    asked = []

    def field(points):
        asked.append(len(points))
        return soft_ball(points)

    baked = bake(field, resolution=32, chunk=500)
    assert sum(asked) == baked.n_evaluated and max(asked) <= 500


def test_no_point_is_evaluated_twice():
    seen = []

    def field(points):
        seen.append(points)
        return soft_ball(points)

    bake(field, resolution=64)
    points = torch.cat(seen)
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


def test_empty_field():
    baked = bake(lambda p: (torch.zeros(len(p)), torch.zeros_like(p)), resolution=64)
    assert not baked.density.any() and (baked.skip > 0).all()


def test_touched_blocks_reach_one_node_beyond():
    marked = np.zeros((12, 12, 12), bool)
    marked[4, 7, 5] = True
    assert np.argwhere(touched_blocks(marked, below=0, above=0)).tolist() == [[1, 1, 1]]
    both = np.argwhere(touched_blocks(marked, below=1, above=1)).tolist()
    assert both == [[0, 1, 1], [0, 2, 1], [1, 1, 1], [1, 2, 1]]
    assert np.argwhere(touched_blocks(marked, below=0, above=1)).tolist() == [[0, 1, 1], [1, 1, 1]]


def test_colours_in_bytes():
    values = np.random.default_rng(0).random((8, 8, 8, 4), np.float32)
    baked = BakedField(values, np.ones((2, 2, 2), np.uint8), n_evaluated=0)
    np.testing.assert_array_equal(baked.rgb, np.floor(values[..., :3] * 255 + 0.5))
    np.testing.assert_array_equal(baked.density, values[..., 3])
    assert baked.n_bytes == 8**3 * 16 + 8


@pytest.mark.parametrize("resolution", [0, 4, 30, 1024])
def test_refuses_a_resolution(resolution):
    with pytest.raises(ValueError, match="multiple of 4 from 8 to 512"):
        bake(soft_ball, resolution=resolution)


def test_refuses_a_field_that_is_not_finite():
    with pytest.raises(ValueError, match="not finite"):
        bake(lambda p: (torch.full((len(p),), torch.nan), torch.zeros_like(p)), resolution=16)


def test_refuses_arrays_that_do_not_fit():
    with pytest.raises(ValueError, match="one cubic grid"):
        BakedField(np.zeros((8, 8, 8, 4), np.float32), np.zeros((3, 3, 3), np.uint8), n_evaluated=0)
