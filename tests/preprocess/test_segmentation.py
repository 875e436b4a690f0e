"""Objects found without a plain background to help: in synthetic pictures and in photographs."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image

from hyperdemo.preprocess.segmentation import colour_mask, segmentation_mask
from tests.preprocess.pictures import RED, blob_mask, overlap, photograph

OUTLINES = Path(__file__).parent / "photographs"


@pytest.mark.parametrize("kind", ["white", "blue", "grass"])
def test_object_of_another_colour_is_found(kind):
    rgb = photograph(kind, colours=RED)[..., :3]
    for mask in (segmentation_mask(rgb)[0], colour_mask(rgb)):
        assert mask.dtype == np.float32 and mask.shape == (240, 320)
        assert 0.0 <= mask.min() and mask.max() <= 1.0
        assert overlap(mask, blob_mask()) > 0.95


# Intersection over union with outlines drawn by hand: of colours alone 0.07, 0.25, 0.97 and 0.20.
@pytest.mark.parametrize(
    ("name", "least"),
    [("rocket", 0.55), ("chelsea", 0.95), ("coffee", 0.95), ("motorcycle_left", 0.75)],
)
def test_objects_of_photographs_are_found(name, least):
    suffix = "jpg" if name == "rocket" else "png"
    rgb = np.asarray(Image.open(Path(skimage.data.__file__).parent / f"{name}.{suffix}"))
    drawn = np.asarray(Image.open(OUTLINES / f"{name}-outline.png"))
    mask, source = segmentation_mask(rgb)
    assert source == "saliency"
    found, of_colours = overlap(mask, drawn), overlap(colour_mask(rgb), drawn)
    print(f"{name}: {of_colours:.3f} -> {found:.3f}")
    assert found > least and found > of_colours - 0.02


def test_the_far_and_small_is_left_out():
    truth = blob_mask()
    with_stain = truth.copy()
    with_stain[10:22, 10:22] = 1.0
    rgb = photograph("grass", mask=with_stain, colours=RED)[..., :3]
    for mask in (segmentation_mask(rgb)[0], colour_mask(rgb)):
        assert overlap(mask, truth) > 0.95 and mask[10:22, 10:22].max() == 0.0


@pytest.mark.parametrize("shape", [(16, 16, 3), (40, 17, 3)])
def test_flat_and_tiny_pictures_do_not_break_it(shape):
    mask, _ = segmentation_mask(np.full(shape, 120, np.uint8))
    assert mask.shape == shape[:2]
