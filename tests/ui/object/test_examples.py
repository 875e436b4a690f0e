import shutil

import numpy as np
import pytest
from PIL import Image

from hyperdemo.ui.object.examples import (
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


def test_examples_are_found(examples):
    assert [path.name for path in find_photographs(examples)] == ["photo.jpg"]
    (box,) = find_held_out(examples / "objects")
    assert box.name == "A brown box"
    assert box.truth.shape == (3, TRUTH_SIDE, TRUTH_SIDE, 3)
    assert len(box.views.poses) == 3


def test_views_are_cut_from_the_strip_in_order_and_stand_on_white(examples):
    truth = read_held_out(examples / "objects" / "box").truth
    for view in range(3):
        assert truth[view, 16, 16].tolist() == [60 * view, 90, 40]
        assert truth[view, 0, 0].tolist() == [255, 255, 255]


def test_no_examples_are_no_fault(tmp_path):
    assert find_photographs(tmp_path / "none") == []
    assert find_held_out(tmp_path / "none") == []


def test_an_upload_is_recognised_by_its_bytes(examples, tmp_path):
    known = find_held_out(examples / "objects")
    again = shutil.copy(known[0].picture, tmp_path / "renamed.webp")
    assert recognise(digest_of(again), known) is known[0]
    assert recognise(digest_of(examples / "photo.jpg"), known) is None


def test_a_strip_that_does_not_fit_the_poses_is_refused(examples):
    folder = examples / "objects" / "box"
    Image.fromarray(np.zeros((32, 64, 4), np.uint8)).save(folder / "truth.webp")
    with pytest.raises(ValueError, match="3 square views"):
        read_held_out(folder)


def test_a_missing_picture_is_named(examples):
    (examples / "objects" / "box" / "input.webp").unlink()
    with pytest.raises(ValueError, match="input.webp"):
        find_held_out(examples / "objects")


def test_without_a_name_the_folder_serves(examples):
    (examples / "objects" / "box" / "name.txt").unlink()
    assert find_held_out(examples / "objects")[0].name == "box"
