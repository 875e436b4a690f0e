"""When a background counts as plain, and what is then cut out of it."""

import numpy as np
import pytest

from hyperdemo.preprocess.background import background_mask
from tests.preprocess.pictures import blob_mask, overlap, photograph


@pytest.mark.parametrize("kind", ["white", "gradient", "blue"])
def test_soft_shadow_is_background(kind):
    shadowed = photograph(kind, shadow=0.3, jpeg_quality=95)
    mask = background_mask(shadowed[..., :3])
    assert overlap(mask, blob_mask()) > 0.94
    # Without the shadow rule the strip below and to the right of the object would stay.
    strip = (np.roll(blob_mask(), (8, 10), (0, 1)) > 0.5) & (blob_mask() == 0)
    assert mask[strip].mean() < 0.3


def test_textures_and_two_halves_are_not_plain():
    assert background_mask(photograph("grass")[..., :3]) is None
    halves = photograph("white").copy()[..., :3]
    halves[:110] = halves[:110] // 3
    assert background_mask(halves) is None


def test_nothing_before_a_plain_background_is_an_empty_mask():
    empty = photograph("gradient", mask=np.zeros((240, 320)))
    assert background_mask(empty[..., :3]).mean() < 0.001
