"""GrabCut from the border and the centre, without a plain background to help."""

import numpy as np
import pytest

from hyperdemo.preprocess.segmentation import segmentation_mask
from tests.preprocess.pictures import RED, blob_mask, overlap, photograph


@pytest.mark.parametrize("kind", ["white", "blue", "grass"])
def test_object_of_another_colour_is_found(kind):
    mask = segmentation_mask(photograph(kind, colours=RED)[..., :3])
    assert mask.dtype == np.float32 and mask.shape == (240, 320)
    assert 0.0 <= mask.min() and mask.max() <= 1.0
    assert overlap(mask, blob_mask()) > 0.95


def test_the_far_and_small_is_left_out():
    truth = blob_mask()
    with_stain = truth.copy()
    with_stain[10:22, 10:22] = 1.0
    mask = segmentation_mask(photograph("grass", mask=with_stain, colours=RED)[..., :3])
    assert overlap(mask, truth) > 0.95 and mask[10:22, 10:22].max() == 0.0


@pytest.mark.parametrize("shape", [(16, 16, 3), (40, 17, 3)])
def test_flat_and_tiny_pictures_do_not_break_it(shape):
    mask = segmentation_mask(np.full(shape, 120, np.uint8))
    assert mask.shape == shape[:2]
