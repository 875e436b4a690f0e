import json

import pytest
from PIL import Image

from hyperdemo.results.learning import find_recorded
from tests.results.recordings import CONTENT, write_recording


def test_a_recording_is_read_as_it_was_written(tmp_path):
    assert find_recorded(tmp_path) is None
    folder = write_recording(tmp_path)
    recorded = find_recorded(tmp_path)
    assert (recorded.steps, recorded.objects) == ((0, 1, 4), ("Box", "Ball"))
    assert recorded.train_objects == 7 and set(recorded.arms) == {"foundation", "scratch"}
    assert recorded.arms["foundation"].psnr == ((1.0, 2.0), (3.0, 4.0), (5.0, 9.0))
    assert recorded.arms["scratch"].validation == ((4, 6.0),)
    assert recorded.picture("truth") == folder / "truth.webp"


@pytest.mark.parametrize(
    ("spoilt", "words"),
    [
        (lambda content: content.pop("steps"), "'steps'"),
        (lambda content: content["arms"]["scratch"]["psnr"].pop(), "3 steps and 2 objects"),
        (lambda content: content["objects"].append("Cone"), "3 steps and 3 objects"),
        (lambda content: content["arms"].update(other=content["arms"]["scratch"]), "other.webp"),
    ],
)
def test_parts_that_do_not_fit_are_told(spoilt, words, tmp_path):
    folder = write_recording(tmp_path)
    content = json.loads(json.dumps(CONTENT))
    spoilt(content)
    (folder / "learning.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=f"no recording that can be shown: .*{words}"):
        find_recorded(tmp_path)


def test_strips_of_another_size_are_told(tmp_path):
    folder = write_recording(tmp_path)
    Image.new("RGB", (16, 40)).save(folder / "scratch.webp")
    with pytest.raises(ValueError, match="scratch.webp is not 6 rows of 2 square pictures"):
        find_recorded(tmp_path)
