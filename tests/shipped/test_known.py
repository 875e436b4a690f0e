"""The shipped objects of training: of the shipped pair, and free to be shown."""

from pathlib import Path

import pytest

from hyperdemo.checkpoints import fingerprint, load_checkpoint
from hyperdemo.known import load_known
from hyperdemo.known.objects import FILE, FREE

WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


@pytest.fixture(scope="module")
def known():
    if not (WEIGHTS / FILE).is_file():
        pytest.skip(f"there is no {FILE}; python -m train.view.known --models data/models")
    return load_known(WEIGHTS / FILE)


def test_it_belongs_to_the_shipped_pair(known):
    loaded = load_checkpoint(WEIGHTS, "view-foundation")
    assert known.checkpoint == fingerprint(loaded.model), "python -m train.view.known makes it anew"
    assert known.features.shape[1] == loaded.model.encoder.dim


def test_what_is_shown_is_free_and_all_of_it_is_small(known):
    for licence, thumbnail in zip(known.licences, known.thumbnails, strict=True):
        assert (licence == FREE) == (thumbnail is not None)
    assert sum(path.stat().st_size for path in WEIGHTS.glob("known*")) < 5_000_000
    assert f"The {len(known):,} objects" in (WEIGHTS / FILE).with_suffix(".md").read_text()
