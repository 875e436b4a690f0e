import dataclasses
import functools
import math

import pytest

from hyperdemo.results.measured import CHECKS, METRICS, Measured
from hyperdemo.ui.evidence.bars import GAP_BARS, PALE, Bar, bars_begin_at, positions
from hyperdemo.ui.evidence.canvas import PRETRAINED, SCRATCH, YARDSTICK, colours
from hyperdemo.ui.evidence.figures import (
    answers_figure,
    experiment_figure,
    rates_figure,
    training_figure,
)
from hyperdemo.ui.evidence.texts import ANSWER_LABELS, SPLIT_LABELS, experiment_caption
from tests.results import measured as small
from train.report.measured import measured

STOI, SI_SNR, PESQ, LSD, PSNR = METRICS["sound"]
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


def bar(label="a", series="s", value=1.0, **rest):
    return Bar(label, series, PRETRAINED, value, **rest)


def test_bars_of_a_label_lie_together():
    heights, ticks = positions([bar("a"), bar("b"), bar("a"), bar("c")])
    second, third = 2 + GAP_BARS, 3 + 2 * GAP_BARS
    assert heights == pytest.approx([0, second, 1, third])
    assert ticks == pytest.approx({"a": 0.5, "b": second, "c": third})


@pytest.mark.parametrize(
    ("values", "begin"),
    [
        ((0.80, 0.84), 0.78),  # 0.80 less half of 0.04
        ((12.3, 13.9), 11.0),  # 11.5, rounded down to ones
        ((0.5, 0.8), 0.0),
        ((-3.0, 2.0), 0.0),
        ((5.0, 5.0), 0.0),
    ],
)
def test_bars_that_would_look_alike_begin_beyond_0(values, begin):
    assert bars_begin_at([bar(value=value) for value in values]) == pytest.approx(begin)


def test_whiskers_count_for_where_the_bars_begin():
    bars = [bar(value=0.80, spread=0.05), bar(value=0.90, dots=(0.95,))]
    assert bars_begin_at(bars) == pytest.approx(0.6)  # 0.75 less half of 0.2, down to tenths


def test_every_answer_has_its_bar_on_every_split(answers):
    bars = answers.data[0]
    assert bars.x == (0.0, 0.90, 0.98, 0.95, 1.0)
    assert bars.error_x.array == (None, 0.02, 0.01, None, None)
    assert bars.marker.color == (YARDSTICK, SCRATCH, PRETRAINED, PRETRAINED, YARDSTICK)
    assert bars.marker.opacity == (1, 1, 1, PALE, 1)
    at = [0, 1 + GAP_BARS, 2 + 2 * GAP_BARS, 3 + 2 * GAP_BARS, 4 + 3 * GAP_BARS]
    assert bars.y == pytest.approx(at)
    assert answers.layout.yaxis.tickvals == pytest.approx((*at[:2], (at[2] + at[3]) / 2, at[4]))
    assert answers.layout.xaxis.range[0] == 0 and answers.layout.xaxis.title.text == "STOI ↑"


def test_numbers_stand_beside_the_bars(answers):
    numbers = [note.text for note in answers.layout.annotations]
    assert numbers == ["0.000", "0.900 ± 0.020", "0.980 ± 0.010", "0.950", "1.000"]
    assert [note.y for note in answers.layout.annotations] == pytest.approx(answers.data[0].y)


def test_experiments_without_an_axis_are_bars_with_their_seeds(audio):
    figure = drawn(audio.experiments[0], STOI, "test")
    bars, dots, *keys = figure.data
    assert bars.x == pytest.approx((0.84, 0.72, 0.80))
    assert bars.error_x.array[:2] == pytest.approx((0.04, 0.02 * math.sqrt(2)))
    assert bars.error_x.array[2] is None
    assert bars.y == pytest.approx((0, 1, 2 + GAP_BARS))
    assert bars.marker.color == (PRETRAINED, SCRATCH, PRETRAINED)
    assert dots.x == (0.80, 0.84, 0.88, 0.70, 0.74) and dots.y == (0, 0, 0, 1, 1)
    assert [key.name for key in keys] == ["pretrained", "from scratch"]
    # From 0.69…, the lower whisker, to 0.88: half of that range down, to tenths.
    assert figure.layout.xaxis.range[0] == pytest.approx(0.5)
    assert figure.layout.xaxis.title.text == "STOI ↑, axis from 0.5"


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


def test_yardsticks_are_grey_bars(audio):
    figure = drawn(with_yardsticks(audio.experiments[0], silence=0.0, ceiling=1.0), STOI, "test")
    bars = figure.data[0]
    assert bars.x[3:] == (0.0, 1.0) and bars.marker.color[3:] == (YARDSTICK, YARDSTICK)
    assert figure.layout.yaxis.ticktext[-2:] == ("silence", "ceiling")
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
