import gzip
import math
import struct

import numpy as np
import pytest
import torch

from hyperdemo.metrics import psnr
from hyperdemo.render.bake import BLOCK, BakedField, bake
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.volume import pack_volume, unpack_volume
from tests.render.fields import constant, naive_view, nothing, on_grid, random_field


def small_ball(points):
    """A dense red ball off the centre of axes, in a fog that no march shows."""
    radius = (points - torch.tensor([0.3, -0.2, 0.1])).norm(dim=-1)
    density = torch.where(radius < 0.25, 40.0, 0.01)
    return density, torch.tensor([0.9, 0.1, 0.2]).expand(len(points), 3)


@pytest.fixture(scope="module")
def baked():
    return bake(small_ball, resolution=48)


def packed_and_unpacked(field):
    return unpack_volume(pack_volume(bake(field, resolution=16))).density


def test_what_was_packed_is_unpacked(baked):
    volume = unpack_volume(pack_volume(baked))
    dense = volume.density > 0
    step = baked.density.max() / 255
    assert np.abs(volume.density - baked.density)[dense].max() <= step
    assert baked.density[~dense].max() <= 0.05  # fog alone was left out
    assert np.array_equal(volume.rgb[dense], baked.rgb[dense])
    assert np.array_equal(volume.skip, baked.skip)


def test_thin_haze_keeps_its_shades():
    def haze(points):
        return 0.1 + 20.0 * (points[:, 0] > 0.8) + 0.05 * points[:, 1], torch.zeros(len(points), 3)

    density = bake(haze, resolution=16).density
    thin = (density > 0.06) & (density < 0.2)
    assert thin.sum() > 500 and np.abs(packed_and_unpacked(haze) - density)[thin].max() < 0.01


@pytest.mark.parametrize("field", [small_ball, random_field()])
def test_a_picture_of_it_is_that_of_the_field(field):
    baked = bake(field, resolution=48)
    pictures = [
        naive_view(
            on_grid(grid.density, grid.rgb / 255), look_at_origin(35.0, 20.0), fov_deg=40.0,
            size=24, n_samples=lambda length: math.ceil(length * 24),
        )[:2]
        for grid in (unpack_volume(pack_volume(baked)), baked)
    ]  # fmt: skip
    assert all(psnr(found, wanted) > 35 for found, wanted in zip(*pictures, strict=True))
    assert pictures[1][1].max() > 0.5


def test_colours_run_one_node_over_the_edge(baked):
    volume = unpack_volume(pack_volume(baked))
    dense = volume.density > 0
    beside = np.zeros_like(dense)
    for shift in np.ndindex(3, 3, 3):
        beside |= np.roll(dense, np.array(shift) - 1, axis=(0, 1, 2))
    red = np.array([230, 26, 51])
    assert np.abs(volume.rgb[beside & ~dense].astype(int) - red).max() <= 1
    assert (beside & ~dense).sum() > 100 and not volume.rgb[~beside].any()


def test_colours_between_two_are_rounded_and_densities_too():
    values = np.zeros((8, 8, 8, 4), np.float32)
    values[3, 3, 3] = (10 / 255, 0, 1, 5.0)
    values[5, 3, 3] = (21 / 255, 1 / 255, 1, 3.0)
    volume = unpack_volume(pack_volume(BakedField(values, np.zeros((2, 2, 2), np.uint8), 0)))
    assert volume.rgb[4, 3, 3].tolist() == [16, 1, 255]
    assert volume.rgb[2, 3, 3].tolist() == [10, 0, 255]
    code = 255 * math.sqrt(3.0 / 5.0)  # 197.5 and a bit
    assert volume.density[5, 3, 3] == pytest.approx(5.0 * (round(code) / 255) ** 2, rel=1e-6)


def test_the_bytes_stand_as_a_browser_reads_them(baked):
    """The layout in the module's words, decoded here without its code."""
    data = gzip.decompress(pack_volume(baked))
    magic, side, largest = struct.unpack_from("<4sIf", data)
    assert (magic, side) == (b"HVOL", 48) and largest == baked.density.max()
    planes = np.frombuffer(data, np.uint8, 4 * side**3, 12).reshape(4, side, side, side)
    x, y, z = np.unravel_index(baked.density.argmax(), baked.density.shape)
    assert planes[3, z, : y + 1, : x + 1].astype(int).sum() % 256 == 255
    skip = np.frombuffer(data, np.uint8, offset=12 + 4 * side**3)
    blocks = side // BLOCK
    assert skip[(z // BLOCK * blocks + y // BLOCK) * blocks + x // BLOCK] == 0


def test_an_empty_field_has_its_file():
    assert not packed_and_unpacked(nothing).any()


def test_densities_beyond_half_floats_are_cut_down():
    largest = packed_and_unpacked(constant(1e6)).max()
    assert math.isfinite(np.float16(largest)) and largest > 5e4


def test_one_field_makes_one_file(baked):
    assert pack_volume(baked) == pack_volume(baked)  # or Gradio would keep each anew


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda packed: b"a letter", "gzip"),
        (lambda packed: packed[:-100], "gzip"),
        (lambda packed: gzip.compress(b"a letter"), "HVOL"),
        (lambda packed: gzip.compress(gzip.decompress(packed)[:-1]), "bytes expected"),
    ],
)
def test_other_files_are_refused(baked, break_it, words):
    with pytest.raises(ValueError, match=words):
        unpack_volume(break_it(pack_volume(baked)))
