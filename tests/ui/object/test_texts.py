import base64

import pytest

from hyperdemo.events import Compared
from hyperdemo.known.objects import FAR_QUANTILE
from hyperdemo.preprocess import OTHERS
from hyperdemo.ui.object import texts
from hyperdemo.ui.object.stream import Scores


def test_the_bar_is_bounded_and_escaped():
    bar = texts.status_bar(1.7, "<b>frame</b> 3 of 4")
    assert 'value="100"' in bar and "<b>" not in bar and "frame" in bar
    assert 'value="0"' in texts.status_bar(-1.0, "x")
    assert texts.status_bar(0.5, "") == ""


@pytest.mark.parametrize(
    ("ahead", "seconds", "said"),
    [
        (0, None, "you are next."),
        (2, None, "2 before you."),
        (1, 11.2, "1 before you, about 15 s."),
    ],
)
def test_who_waits_reads_their_place_in_whole_steps_of_seconds(ahead, seconds, said):
    assert f"waiting for a free place: {said}<" in texts.waiting_bar(ahead, seconds)


def test_every_way_to_find_an_outline_has_words():
    for source in ("alpha", "background", "saliency", "segmentation", "edited", *OTHERS):
        assert source not in texts.mask_words(source).split()
    assert "A brown box" in texts.mask_words("alpha", "A brown box")


def test_timings_have_one_column_per_model():
    seconds = {"foundation.encode": 0.1, "scratch.encode": 0.2, "orbit": 3.0, "scratch.mesh": 1.0}
    seconds |= {"foundation.bake": 2e-5, "scratch.bake": 0.01}
    table = texts.timings_table(seconds, {"foundation": 67204, "scratch": 67204})
    assert "67,204 | 67,204" in table
    assert "write the weights | 0.10 s | 0.20 s" in table
    assert "extract the surface | – | 1.00 s" in table
    assert "| under 0.01 s | 0.01 s |" in table and "0.00 s" not in table
    assert "3.00 s together" in table
    assert len({line.count("|") for line in table.splitlines()}) == 1


def test_scores_are_tabled():
    scores = {"foundation": Scores(18.24, 0.812, 7), "scratch": Scores(16.0, 0.7, 7)}
    table = texts.scores_table("Chair", scores)
    assert "7 views" in table and "| Pretrained (DINOv2) | 18.24 | 0.812 |" in table


def compared(**changes):
    values = dict(
        name="sedan sports", kind="vehicle", thumbnail=b"RIFF1234WEBP", distance=0.05, far=False,
        n_objects=3147,
    )  # fmt: skip
    return Compared(**values | changes)


def test_what_is_near_is_named_and_shown():
    shown = texts.nearest_known(compared())
    assert "Nearest among the 3,147 objects of training: sedan sports (vehicle)." in shown
    assert 'alt="sedan sports (vehicle), an object of training"' in shown
    assert f"data:image/webp;base64,{base64.b64encode(b'RIFF1234WEBP').decode()}" in shown
    assert texts.FAR not in shown and "far" not in shown
    assert "(chair)" not in texts.nearest_known(compared(name="Office chair", kind="chair"))
    assert "(other)" not in texts.nearest_known(compared(kind="other"))
    for name, words in {
        "aws bookc 01 visual": "bookc (vehicle).",
        "obj fire3": "fire (vehicle).",
        "chair b": "chair (vehicle).",
        "13 b": "vehicle.",
        "Vehicle 2": "Vehicle.",
    }.items():
        assert texts.nearest_known(compared(name=name)).endswith(f"training: {words}</p></div>")
    assert texts.nearest_known(compared(distance=0.11)) == ""
    assert texts.nearest_known(compared(distance=0.11, far=True))


def test_what_is_far_gets_a_warning():
    shown = texts.nearest_known(compared(far=True))
    assert texts.FAR in shown and 'class="known far"' in shown and "sedan sports" in shown
    assert f"{round(20 * FAR_QUANTILE)} of 20 new objects" in shown


def test_without_a_free_picture_or_known_objects_there_are_words_or_nothing():
    shown = texts.nearest_known(compared(thumbnail=None))
    assert "<img" not in shown and "sedan sports" in shown
    assert texts.nearest_known(None) == ""
    assert "<script" not in texts.nearest_known(compared(name="<script>", thumbnail=None))
