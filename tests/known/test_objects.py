import logging
import math

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.known import find_known, load_known, save_known
from hyperdemo.known.objects import FILE
from tests import tiny
from tests.known.planted import known_objects, unit, webp


def by_hand(features, feature):
    """Index and distance of the nearest, number by number."""
    found = []
    for row in features.astype(np.float64):
        dot = sum(float(a) * float(b) for a, b in zip(row, feature, strict=True))
        lengths = math.sqrt(sum(a * a for a in row) * sum(float(b) ** 2 for b in feature))
        found.append(1 - dot / lengths)
    return min(range(len(found)), key=found.__getitem__), min(found)


def test_the_nearest_is_that_of_a_search_by_hand():
    rng = np.random.default_rng(8)
    known = known_objects(unit(rng.normal(size=(40, 12)).astype(np.float32)))
    for feature in unit(rng.normal(size=(20, 12)).astype(np.float32)):
        index, distance = by_hand(known.features, feature)
        near = known.nearest(feature)
        assert near.index == index and near.distance == pytest.approx(distance, abs=1e-5)
        assert near.far == (distance > known.threshold)


def test_a_picture_of_a_known_object_is_near_and_one_at_right_angles_is_far():
    known = known_objects(np.eye(4, dtype=np.float32)[:3])
    again = known.nearest(known.features[2])
    assert (again.index, again.distance, again.far) == (2, 0.0, False)
    other = known.nearest(np.array([0, 0, 0, 1], np.float32))
    assert other.distance == pytest.approx(1) and other.far
    # At the threshold itself it is not far yet, and a little beyond it is.
    for cosine, far in ((0.71, False), (0.69, True)):
        between = np.array([cosine, 0, 0, math.sqrt(1 - cosine**2)], np.float32)
        assert known.nearest(between).far is far
    with pytest.raises(ValueError, match="4 numbers expected, got"):
        known.nearest(np.ones(3, np.float32))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ("a", "b")}, r"as many names.* got \[2, 5, 5, 5\] for 5"),
        ({"features": np.zeros((0, 12), np.float32)}, "at least one"),
        ({"features": np.full((5, 12), np.nan, np.float32)}, "finite"),
        ({"features": np.ones((5, 12), np.float32)}, r"unit length expected, got 3\.46"),
        ({"threshold": 0.0}, "threshold between 0 and 2"),
        ({"threshold": math.nan}, "threshold between 0 and 2"),
        ({"thumbnails": (None, b"no picture at all", None, None, None)}, "of 'thing 1' is none"),
    ],
)
def test_what_does_not_fit_together_is_refused(change, words):
    with pytest.raises(ValueError, match=words):
        known_objects(**change)


def test_what_was_saved_is_read(tmp_path):
    known = known_objects()
    save_known(known, tmp_path / FILE, facts={"token": "class"})
    read = load_known(tmp_path / FILE)
    assert read.features.dtype == np.float16
    np.testing.assert_allclose(read.features, known.features, atol=3e-4)
    for name in ("names", "kinds", "licences", "thumbnails", "threshold", "checkpoint"):
        assert getattr(read, name) == getattr(known, name), name
    bare = known_objects(thumbnails=(None,) * 5)
    save_known(bare, tmp_path / FILE)
    assert load_known(tmp_path / FILE).thumbnails == bare.thumbnails


def spoilt(path, *, metadata=None, **tensors):
    """Write the file anew with other tensors; None leaves one out."""
    with safe_open(path, framework="np") as file:
        kept = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        about = file.metadata() | (metadata or {})
    kept = {key: value for key, value in (kept | tensors).items() if value is not None}
    save_file(kept, path, metadata=about)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"metadata": {"format": "hyperdemo-known-9"}}, "format 'hyperdemo-known-1' expected"),
        ({"metadata": {"description": "{}"}}, "names"),
        ({"metadata": {"description": "not JSON"}}, "Expecting value"),
        ({"features": None}, "features"),
        ({"features": np.ones((5, 12), np.float32)}, "float16 expected, got 2 in float32"),
        ({"features": np.ones(12, np.float16)}, "2 dimensions in float16 expected, got 1"),
        ({"features": np.full((5, 12), np.inf, np.float16)}, "finite"),
        ({"features": np.ones((4, 12), np.float16)}, "for 4"),
        ({"ends": np.array([0, 9, 3, 9, 9])}, "follow each other"),
        ({"ends": np.array([0, 0, 0, 0, 10**9])}, "follow each other"),
        ({"ends": np.array([0, 0, 0, 0])}, r"\[5, 5, 5, 4\]"),
        ({"thumbnails": np.zeros(10_000, np.uint8)}, "WebP"),
    ],
)
def test_a_bad_file_is_refused_by_name_and_with_a_remedy(tmp_path, change, words):
    path = tmp_path / FILE
    save_known(known_objects(), path)
    spoilt(path, **change)
    with pytest.raises(ValueError, match=words) as caught:
        load_known(path)
    assert str(path) in str(caught.value) and "python -m train.view.known" in str(caught.value)


def test_a_file_that_is_cut_short_or_not_there_is_refused(tmp_path):
    path = tmp_path / FILE
    with pytest.raises(ValueError, match="cannot be used"):
        load_known(path)
    save_known(known_objects(), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="cannot be used .* or remove it"):
        load_known(path)


def test_only_what_belongs_to_the_checkpoint_is_found(tmp_path, caplog):
    own = LoadedModel("view-foundation", tiny.model(0), {})
    assert find_known(tmp_path, own) is None and not caplog.records
    save_known(known_objects(model=own.model), tmp_path / FILE)
    assert len(find_known(tmp_path, own)) == 5 and not caplog.records
    other = LoadedModel("view-foundation", tiny.model(1), {})
    with caplog.at_level(logging.WARNING):
        assert find_known(tmp_path, other) is None
    assert "known.safetensors is left alone: it is not of view-foundation" in caplog.text


def test_a_thumbnail_is_a_picture(tmp_path):
    save_known(known_objects(), tmp_path / FILE)
    pictures = load_known(tmp_path / FILE).thumbnails
    assert pictures[0] is None and pictures[1] == webp(40) and pictures[4] == webp(160)


def test_numbers_of_torch_are_read_as_numpy_s(tmp_path):
    known = known_objects()
    save_known(known, tmp_path / FILE)
    near = load_known(tmp_path / FILE).nearest(torch.from_numpy(known.features[3]).numpy())
    assert near.index == 3 and near.distance < 1e-3
