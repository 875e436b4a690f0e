"""Masks of pictures whose true mask is known, corrections, and what must be refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperdemo.preprocess.mask import apply_mask_edit, object_mask, other_mask, paint
from tests.preprocess.pictures import RED, blob_mask, object_colours, overlap, photograph

COFFEE = Path(__file__).parents[2] / "examples" / "coffee_cup.webp"


def with_alpha(alpha):
    colours = object_colours(*alpha.shape).astype(np.uint8)
    return np.dstack([colours, np.rint(255 * alpha).astype(np.uint8)])


def test_alpha_is_taken_as_it_is():
    truth = blob_mask()
    mask, source = object_mask(with_alpha(truth))
    assert source == "alpha" and mask.dtype == np.float32
    np.testing.assert_allclose(mask, truth, atol=0.06)  # faintest values count as nothing


def test_specks_in_alpha_do_not_move_the_bounding_box():
    alpha = blob_mask()
    alpha[2, 3] = alpha[237, 310] = 1.0
    mask, _ = object_mask(with_alpha(alpha))
    assert mask[2, 3] == mask[237, 310] == 0


def test_rounded_corners_are_no_cut_out():
    picture = photograph("white").copy()
    picture[:3, :3, 3] = 0
    assert object_mask(picture)[1] == "background"


@pytest.mark.parametrize("kind", ["white", "gradient", "blue"])
@pytest.mark.parametrize(
    ("quality", "least"),
    [
        ({"jpeg_quality": 95}, 0.95),
        ({"jpeg_quality": 95, "shadow": 0.25}, 0.95),
        # Half quality at this size leaves blocks of colour about the outline.
        ({"jpeg_quality": 50, "shadow": 0.25}, 0.93),
        ({"noise": 8.0}, 0.93),
    ],
)
def test_plain_background(kind, quality, least):
    mask, source = object_mask(photograph(kind, **quality))
    assert source == "background" and overlap(mask, blob_mask()) > least
    assert mask[120, 156] > 0.99  # the white label inside stays


def test_a_hole_shows_a_coloured_background_but_not_a_white_one():
    ring = blob_mask()
    y, x = np.mgrid[:240, :320]
    hole = np.hypot(y - 120, x - 156) < 25
    ring[hole] = 0
    blue, _ = object_mask(photograph("blue", mask=ring, colours=RED))
    assert overlap(blue, ring) > 0.95
    white, _ = object_mask(photograph("white", mask=ring, colours=RED))
    assert white[120, 156] > 0.99


def test_object_cut_off_by_the_frame():
    truth = np.roll(blob_mask(), 60, axis=0)
    truth[:60] = 0
    mask, source = object_mask(photograph("gradient", mask=truth))
    assert source == "background" and overlap(mask, truth) > 0.95


def test_textured_background_is_segmented():
    picture = photograph("grass", colours=RED)  # GrabCut has only colours to go by: no white label
    mask, source = object_mask(picture)
    assert source in ("saliency", "segmentation") and overlap(mask, blob_mask()) > 0.95
    np.testing.assert_array_equal(mask, object_mask(picture)[0])


def test_other_masks_hold_less_more_and_all_of_the_picture():
    picture = np.asarray(Image.open(COFFEE).convert("RGBA"))
    found, _ = object_mask(picture)
    smaller, larger, colour = (other_mask(picture, o) for o in ("smaller", "larger", "colour"))
    assert smaller.sum() < 0.98 * found.sum() < found.sum() < larger.sum()
    assert overlap(colour, found) > 0.9 and other_mask(picture, "whole").min() == 1.0


def test_edges_are_soft_and_about_right():
    truth = blob_mask()
    mask, _ = object_mask(photograph("white", noise=0.5, jpeg_quality=97))
    edge = (truth > 0.05) & (truth < 0.95)
    assert np.abs(mask - truth)[edge].mean() < 0.25
    assert ((mask > 0.1) & (mask < 0.9)).sum() > 0.3 * edge.sum()


@pytest.mark.parametrize("size", [(16, 16), (20, 33), (64, 48)])
def test_tiny_pictures_work(size):
    mask = np.zeros(size)
    mask[size[0] // 4 : -size[0] // 4, size[1] // 4 : -size[1] // 4] = 1
    colours = np.broadcast_to(RED[0, 0], (*size, 3))
    found, _ = object_mask(photograph("white", mask=mask, colours=colours, jpeg_quality=95))
    assert overlap(found, mask) > 0.7


def flat(value, alpha=255):
    return np.dstack([np.full((64, 64, 3), value, np.uint8), np.full((64, 64), alpha, np.uint8)])


@pytest.mark.parametrize(
    ("rgba", "words"),
    [
        (flat(200, alpha=0), "every pixel is transparent"),
        (flat(200, alpha=5), "every pixel is transparent"),
        (flat(200), "all of one colour"),
        (flat(0), "all of one colour"),
        (np.zeros((64, 64, 3), np.uint8), "uint8 of shape"),
    ],
)
def test_pictures_without_an_object_are_refused(rgba, words):
    with pytest.raises(ValueError, match=words):
        object_mask(rgba)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_edit_keeps_the_soft_edge_where_nothing_changed(dtype):
    mask = blob_mask().astype(np.float32)
    painted = (mask > 0.5).astype(np.float32)
    painted[100:140, 20:60] = 1.0  # a piece added at the left
    painted = painted * 255 if dtype is np.uint8 else painted
    edited = apply_mask_edit(mask, painted.astype(dtype))
    assert edited.dtype == np.float32
    assert edited[120, 40] == 1.0
    np.testing.assert_array_equal(edited[:, 200:], mask[:, 200:])
    assert 0.0 < edited[99, 40] < 1.0  # a brush's edge is softened


def test_brush_strokes():
    mask = blob_mask().astype(np.float32)
    stroke, nothing = np.zeros((2, *mask.shape), np.uint8)
    stroke[110:130, 140:170] = 255
    erased = paint(mask, add=nothing, erase=stroke)
    assert erased[120, 155] == 0 and erased[120, 110] == 1
    assert overlap(paint(erased, add=stroke, erase=nothing), mask) > 0.999
    assert paint(erased, add=stroke, erase=stroke)[120, 155] == 0
    np.testing.assert_array_equal(paint(mask, add=nothing, erase=nothing), mask)


@pytest.mark.parametrize(
    ("painted", "words"),
    [
        (np.zeros((240, 320), bool), "empty"),
        (np.ones((240, 320), bool), "fills the whole picture"),
        (np.ones((10, 10), bool), "picture's size"),
        (np.ones((240, 320), np.int32), "int32"),
    ],
)
def test_bad_edits_are_refused(painted, words):
    with pytest.raises(ValueError, match=words):
        apply_mask_edit(blob_mask().astype(np.float32), painted)
