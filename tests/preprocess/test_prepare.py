"""The whole way from a picture to the framed input."""

import numpy as np
import pytest

from hyperdemo.preprocess import frame_input, prepare
from tests.preprocess.pictures import RED, blob_mask, overlap, photograph


def test_alpha_passes_through_unchanged():
    rgba = photograph("blue").copy()
    rgba[..., 3] = np.where(blob_mask() > 0.5, 255, 0)
    prepared = prepare(rgba, size=64)
    assert prepared.mask_source == "alpha"
    np.testing.assert_array_equal(prepared.rgba, rgba)
    np.testing.assert_array_equal(prepared.framed, frame_input(rgba, size=64))


@pytest.mark.parametrize("kind", ["blue", "white", "grass"])
def test_background_does_not_reach_the_framed_input(kind):
    picture = photograph(kind, colours=RED, noise=1.0, jpeg_quality=95)
    prepared = prepare(picture, size=112)
    assert overlap(prepared.rgba[..., 3] / 255.0, blob_mask()) > 0.95
    ideal = picture.copy()
    ideal[..., :3] = RED
    ideal[..., 3] = np.rint(255 * blob_mask())
    difference = prepared.framed.astype(float) - frame_input(ideal, size=112)
    assert np.abs(difference).mean() < 6.0
    # On the way from red to white green nearly equals blue; a blue or green line would show here.
    excess = prepared.framed[..., 1].astype(int) - prepared.framed[..., 2]
    assert np.percentile(np.abs(excess), 99.5) < 25


def test_an_edited_mask_is_used():
    truth = blob_mask()
    truth[:, :150] = 0
    prepared = prepare(photograph("white"), size=64, mask=truth > 0.5)
    assert prepared.mask_source == "edited"
    assert overlap(prepared.mask, truth) > 0.99
    soft = prepare(photograph("white"), size=64, mask=truth)
    np.testing.assert_allclose(soft.mask, truth, atol=1e-6)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="NumPy array, got NoneType"):
        prepare(None, size=64)
