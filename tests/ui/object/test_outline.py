import numpy as np
import pytest

from hyperdemo.ui.object.outline import (
    CUT_COLOUR,
    KEEP_COLOUR,
    Cut,
    corrected_mask,
    editor_value,
    strokes,
    veiled,
)

EVERYWHERE = slice(None)


def painted(shape, *marks, opacity=255):
    """A layer with rectangles of colour: (colour, rows, columns) each."""
    layer = np.zeros((*shape, 4), np.uint8)
    for colour, rows, columns in marks:
        layer[rows, columns] = (*bytes.fromhex(colour.lstrip("#")), opacity)
    return layer


@pytest.fixture
def cut(pipeline, rgba):
    return Cut("box.png", "digest", rgba, pipeline.prepare(rgba))


def test_the_veil_leaves_the_object_alone(rgba):
    mask = (rgba[..., 3] / 255).astype(np.float32)
    shown = veiled(rgba, mask)
    assert np.array_equal(shown[25, 30], rgba[25, 30, :3])
    opaque = np.dstack([np.full((60, 80, 3), 30, np.uint8), np.full((60, 80), 255, np.uint8)])
    assert veiled(opaque, mask)[0, 0].min() > 150  # dark, but outside


def test_the_editor_starts_without_strokes(cut):
    value = editor_value(cut)
    assert value["layers"] == [] and value["background"].shape == (60, 80, 3)
    assert corrected_mask(cut, value) is None
    assert corrected_mask(cut, None) is None


def test_green_keeps_and_red_cuts(cut):
    layer = painted(
        (60, 80),
        (KEEP_COLOUR, slice(5, 15), slice(20, 60)),
        (CUT_COLOUR, slice(30, 40), slice(20, 60)),
    )
    mask = corrected_mask(cut, {"layers": [layer]})
    assert mask[10, 40] == 1 and mask[35, 40] == 0
    assert mask[25, 40] == 1 and mask[50, 40] == 0  # as before


def test_the_upper_layer_overrules():
    below = painted((10, 10), (CUT_COLOUR, EVERYWHERE, EVERYWHERE))
    above = painted((10, 10), (KEEP_COLOUR, slice(0, 5), EVERYWHERE))
    keep, cut = strokes({"layers": [below, above]}, (10, 10))
    assert keep[:5].all() and not keep[5:].any()
    assert cut[5:].all() and not cut[:5].any()


def test_strokes_on_another_picture_and_faint_rims_do_not_count(cut):
    mark = (CUT_COLOUR, EVERYWHERE, EVERYWHERE)
    for layer in (painted((30, 30), mark), painted((60, 80), mark, opacity=40)):
        assert corrected_mask(cut, {"layers": [layer]}) is None
    with pytest.raises(ValueError, match="mask is empty"):
        corrected_mask(cut, {"layers": [painted((60, 80), mark)]})
