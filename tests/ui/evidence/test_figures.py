import dataclasses
import functools
import math

import pytest

from hyperdemo.results.measured import CHECKS, METRICS, Measured
from hyperdemo.ui.evidence.canvas import PRETRAINED, SCRATCH, YARDSTICK, colours
from hyperdemo.ui.evidence.figures import (
    answers_figure,
    experiment_figure,
    rates_figure,
    training_figure,
)
from hyperdemo.ui.evidence.rows import GAP_ROWS
from hyperdemo.ui.evidence.texts import ANSWER_LABELS, SPLIT_LABELS, experiment_caption
from tests.results import measured as small
from train.report.measured import measured

STOI, SI_SNR, PESQ, LSD, PSNR, *_ = METRICS["sound"]
CHECK_SNR, CHECK_STOI = CHECKS["sound"]
drawn = functools.partial(experiment_figure, labels=ANSWER_LABELS["sound"])


@pytest.fixture(scope="module")
def audio():
    return measured(small.results())["sound"]


@pytest.fixture(scope="module")
def answers(audio):
    return answers_figure(
        audio, STOI, "test", labels=ANSWER_LABELS["sound"], split_labels=SPLIT_LABELS["sound"]
    )


def test_every_answer_has_its_dot_on_every_split(answers):
    rows = answers.data[0]
    assert rows.x == (0.0, 0.90, 0.98, 0.95, 1.0)
    assert rows.error_x.array == (None, 0.02, 0.01, None, None)
    assert rows.marker.color == (YARDSTICK, SCRATCH, PRETRAINED, PRETRAINED, YARDSTICK)
    assert rows.marker.symbol == ("circle", "circle", "circle", "circle-open", "circle")
    at = [0, 1 + GAP_ROWS, 2 + 2 * GAP_ROWS, 3 + 2 * GAP_ROWS, 4 + 3 * GAP_ROWS]
    assert rows.y == pytest.approx(at)
    assert answers.layout.yaxis.tickvals == pytest.approx((*at[:2], (at[2] + at[3]) / 2, at[4]))
    assert answers.layout.xaxis.range == pytest.approx((-0.06, 1.06))
    assert answers.layout.xaxis.title.text == "STOI ↑"


def test_numbers_stand_beside_the_dots(answers):
    numbers = [note.text for note in answers.layout.annotations]
    assert numbers == ["0.000", "0.900 ± 0.020", "0.980 ± 0.010", "0.950", "1.000"]
    assert [note.y for note in answers.layout.annotations] == pytest.approx(answers.data[0].y)


def test_what_was_measured_on_fewer_stands_beside_the_models_on_the_same(audio):
    same = {"foundation": Measured({"stoi": 0.97}, 8), "scratch": Measured({"stoi": 0.88}, 8)}
    alike = dataclasses.replace(audio, same={"test": {"ceiling": same}})
    labels = dict(labels=ANSWER_LABELS["sound"], split_labels=SPLIT_LABELS["sound"])
    figure = answers_figure(alike, STOI, "test", **labels)
    assert figure.data[0].x == (0.0, 0.90, 0.98, 0.95, 0.88, 0.97, 1.0)
    assert figure.layout.yaxis.ticktext[-3:] == (
        "on 8: from scratch", "on 8: pretrained<br>(Whisper)", "on 8: fitted to the<br>sound",
    )  # fmt: skip
    assert answers_figure(alike, STOI, "unseen", **labels).data[0].x[-1] == 1.0  # elsewhere apart


def test_experiments_without_an_axis_are_rows_with_their_seeds(audio):
    figure = drawn(audio.experiments[0], STOI, "test")
    rows, dots, *keys = figure.data
    assert rows.x == pytest.approx((0.84, 0.72, 0.80))
    assert rows.error_x.array[:2] == pytest.approx((0.04, 0.02 * math.sqrt(2)))
    assert rows.error_x.array[2] is None
    assert rows.y == pytest.approx((0, 1, 2 + GAP_ROWS))
    assert rows.marker.color == (PRETRAINED, SCRATCH, PRETRAINED)
    assert dots.x == (0.80, 0.84, 0.88, 0.70, 0.74) and dots.y == (0, 0, 0, 1, 1)
    assert [key.name for key in keys] == ["pretrained", "from scratch"]
    low, high = 0.72 - 0.02 * math.sqrt(2), 0.88  # the lower whisker, and the upper
    room = 0.06 * (high - low)
    assert figure.layout.xaxis.range == pytest.approx((low - room, high + room))


def test_experiments_with_an_axis_are_lines(audio):
    figure = drawn(audio.experiments[1], STOI, "test")
    pretrained, scratch, dots = figure.data
    assert (pretrained.name, pretrained.x) == ("pretrained", (1, 10, 100))
    assert pretrained.y == pytest.approx((0.80, 0.84, 0.84))
    assert pretrained.error_y.array == (None, None, pytest.approx(0.04))
    assert pretrained.text == ("1 %", "10 %", "100 %") and scratch.x == (1,)
    assert dots.x == (100, 100, 100) and dots.y == (0.80, 0.84, 0.88)
    assert figure.layout.xaxis.type == "log" and figure.layout.showlegend
    assert figure.layout.xaxis.range == pytest.approx((-0.12, 2.12))
    assert not figure.layout.annotations


def with_yardsticks(experiment, **values):
    beside = {name: {"test": Measured({"stoi": value}, 8)} for name, value in values.items()}
    return dataclasses.replace(experiment, yardsticks=beside)


def test_yardsticks_are_grey_dots_unless_they_are_far_off(audio):
    figure = drawn(with_yardsticks(audio.experiments[0], silence=0.0, ceiling=1.0), STOI, "test")
    rows = figure.data[0]
    assert rows.x[3:] == (1.0,) and rows.marker.color[3:] == (YARDSTICK,)
    assert figure.layout.yaxis.ticktext[-1] == "ceiling"
    keys = [trace.name for trace in figure.data[2:]]
    assert keys == ["pretrained", "from scratch"]


def test_yardsticks_that_are_near_are_dotted_lines(audio):
    """The seeds reach from 0.70 to 0.88: one range further, to 0.52 and 1.06, is near."""
    lines = with_yardsticks(audio.experiments[1], silence=0.5, nearest=0.53, ceiling=1.0)
    figure = drawn(lines, STOI, "test")
    assert [line.y0 for line in figure.layout.shapes] == [0.53, 1.0]
    notes = [note.text for note in figure.layout.annotations]
    assert notes == ["nearest training windows", "ceiling"]
    assert not drawn(lines, STOI, "unseen").layout.shapes
    caption = experiment_caption(lines, STOI, "test", task="sound")
    assert caption.endswith(
        "For comparison: silence 0.500 (on 8), nearest training windows 0.530 (on 8), ceiling "
        "1.000 (on 8)."
    )


def test_series_of_one_arm_are_named_beside_their_markers(audio):
    figure = drawn(audio.experiments[2], STOI, "test")
    notes = {note.text: note for note in figure.layout.annotations}
    assert set(notes) == {"frozen", "LoRA", "all", "from scratch"}
    assert not figure.layout.showlegend and figure.layout.xaxis.type == "log"
    assert notes["frozen"].x == pytest.approx(5) and notes["frozen"].xanchor == "left"
    # Two at the same x: the better one is named above, the other below.
    assert (notes["all"].yanchor, notes["from scratch"].yanchor) == ("bottom", "top")
    assert notes["all"].xanchor == "right"
    assert figure.layout.xaxis.ticktext == ("100k", "300k", "8M")


def test_a_narrow_axis_is_linear(audio):
    arms = [arm for arm in audio.experiments[1].arms if arm.x < 100]
    narrow = type(audio.experiments[1])("", "", "", "x", tuple(arms))
    assert drawn(narrow, STOI, "test").layout.xaxis.type == "linear"


def test_curves_follow_the_steps(audio):
    figure = training_figure(audio.trainings, CHECK_STOI, labels=ANSWER_LABELS["sound"])
    foundation, scratch = figure.data
    assert (foundation.x, foundation.y) == ((100, 200), (0.7, 0.9))
    assert foundation.name == "pretrained (Whisper)" and foundation.line.color == PRETRAINED
    assert scratch.y == (0.6, 0.8) and scratch.line.color == SCRATCH


def test_rates_are_a_line_a_codec(audio):
    figure = rates_figure(audio.rates, STOI)
    inr, opus = figure.data
    assert (inr.x, inr.y, inr.text) == ((60, 120), (0.7, 0.9), ("4 bits", "8 bits"))
    assert opus.name == "Opus" and figure.layout.xaxis.type == "log"
    assert [trace.name for trace in rates_figure(audio.rates, LSD).data] == ["INR"]


def test_what_was_not_measured_says_so(audio):
    empty = [
        *(drawn(experiment, PESQ, "test") for experiment in audio.experiments),
        drawn(audio.experiments[0], SI_SNR, "unseen"),
        rates_figure(audio.rates, PSNR),
        answers_figure(audio, PSNR, "test", labels={}, split_labels={}),
        training_figure({}, CHECK_SNR, labels={}),
    ]
    for figure in empty:
        assert not figure.data and figure.layout.annotations[0].text == "Not measured."


def test_the_two_models_have_the_same_colours_everywhere():
    tint = colours(["LoRA", "pretrained", "frozen", "from scratch", "LoRA"])
    assert tint["pretrained"] == PRETRAINED and tint["from scratch"] == SCRATCH
    assert len(set(tint.values())) == 4 == len(tint)
    assert colours(["foundation", "scratch"]) == {"foundation": PRETRAINED, "scratch": SCRATCH}


def test_figures_are_clear_and_light(answers):
    assert answers.layout.paper_bgcolor == answers.layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert len(answers.to_json()) < 6_000


def test_of_many_splits_the_first_alone_stands_beside_the_chosen(audio):
    splits = ("test", "test-speakers", "unseen", "test-language", "test-music")
    known = {split: Measured({"stoi": 0.1 * k}, 9) for k, split in enumerate(splits)}
    many = dataclasses.replace(audio, answers={"foundation": known}, same={})
    labels = dict(labels=ANSWER_LABELS["sound"], split_labels=SPLIT_LABELS["sound"])
    rows = answers_figure(many, STOI, "test-language", **labels).data[0]
    assert rows.x == pytest.approx((0.0, 0.3))
    assert rows.marker.symbol == ("circle-open", "circle")
