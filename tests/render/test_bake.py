import numpy as np
import pytest
import torch

from hyperdemo.render.bake import BLOCK, BakedField, bake, pack_rgb, touched_blocks


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


@pytest.mark.parametrize("field", [soft_ball, thin_rod])
def test_agrees_with_evaluating_every_node(field):
    baked = bake(field, resolution=96, min_density=0.01)
    density, rgb = everywhere(field, 96)
    assert baked.density.dtype == np.float32 and baked.resolution == 96
    np.testing.assert_allclose(baked.density, density, atol=0.01)
    dense = density > 0.01
    assert dense.sum() > 100
    assert np.abs(baked.rgb[dense] / 255.0 - rgb.clip(0, 1)[dense]).max() <= 0.5 / 255 + 1e-6


def test_evaluates_only_where_it_matters():
    inside = (nodes(96).norm(dim=-1) <= 1).sum().item()
    assert bake(thin_rod, resolution=96).n_evaluated < 0.15 * inside
    fog = bake(lambda p: (torch.ones(len(p)), torch.zeros_like(p)), resolution=64)
    assert fog.n_evaluated < 1.2 * (nodes(64).norm(dim=-1) <= 1).sum().item()


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


def test_packed_colours_come_back():
    rgb = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)
    baked = BakedField(
        np.zeros((8, 8, 8), np.float32), pack_rgb(rgb), np.ones((2, 2, 2), np.uint8), n_evaluated=0
    )
    np.testing.assert_array_equal(baked.rgb, rgb)


@pytest.mark.parametrize("resolution", [0, 4, 30, 1024])
def test_refuses_a_resolution(resolution):
    with pytest.raises(ValueError, match="multiple of 4 from 8 to 512"):
        bake(soft_ball, resolution=resolution)


def test_refuses_a_field_that_is_not_finite():
    with pytest.raises(ValueError, match="not finite"):
        bake(lambda p: (torch.full((len(p),), torch.nan), torch.zeros_like(p)), resolution=16)


def test_refuses_arrays_that_do_not_fit():
    with pytest.raises(ValueError, match="one cubic grid"):
        BakedField(
            np.zeros((8, 8, 8), np.float32),
            np.zeros((8, 8, 8), np.uint64),
            np.zeros((3, 3, 3), np.uint8),
            n_evaluated=0,
        )
