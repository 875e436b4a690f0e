import shutil

import numpy as np
import pytest
from PIL import Image

from hyperdemo.examples import (
    digest_of,
    find_held_out,
    find_photographs,
    read_held_out,
    recognise,
)
from tests.ui.conftest import TRUTH_SIDE, write_examples


@pytest.fixture
def examples(rgba, tmp_path):
    return write_examples(tmp_path / "examples", rgba)


def test_examples_are_found_and_views_cut_from_the_strip_in_order(examples, tmp_path):
    assert [path.name for path in find_photographs(examples)] == ["photo.jpg"]
    (box,) = find_held_out(examples / "objects")
    assert box.name == "A brown box" and len(box.views.poses) == 3
    assert box.truth.shape == (3, TRUTH_SIDE, TRUTH_SIDE, 3)
    for view in range(3):
        assert box.truth[view, 16, 16].tolist() == [60 * view, 90, 40]
        assert box.truth[view, 0, 0].tolist() == [255, 255, 255]
    assert find_photographs(tmp_path / "none") == find_held_out(tmp_path / "none") == []


def test_an_upload_is_recognised_by_its_bytes(examples, tmp_path):
    known = find_held_out(examples / "objects")
    again = shutil.copy(known[0].picture, tmp_path / "renamed.webp")
    assert recognise(digest_of(again), known) is known[0]
    assert recognise(digest_of(examples / "photo.jpg"), known) is None


def test_of_what_an_object_lacks_the_name_alone_is_replaced(examples):
    folder = examples / "objects" / "box"
    (folder / "name.txt").unlink()
    assert read_held_out(folder).name == "box"
    Image.fromarray(np.zeros((32, 64, 4), np.uint8)).save(folder / "truth.webp")
    with pytest.raises(ValueError, match="3 square views"):
        read_held_out(folder)
    (folder / "input.webp").unlink()
    with pytest.raises(ValueError, match="input.webp"):
        find_held_out(examples / "objects")
