"""The questions: what they tell the server, what it answers, and the files that they consist of."""

import re
from pathlib import Path

import gradio as gr
import pytest

from hyperdemo.ui import build_app
from hyperdemo.ui.guess import panel
from hyperdemo.ui.guess.panel import answered, asset, hearing_question, pair_question
from hyperdemo.ui.guess.tally import MAX_PER_MINUTE, Count, Tally

LABELS = {"foundation": "Pretrained", "scratch": "From scratch"}
FOLDER = Path(panel.__file__).parent


@pytest.fixture
def tally():
    return Tally(["object"])


def say(tally, *, session="s", teacher=False, **said):
    said = {"question": "object", "right": None, "mine": [0, 0]} | said
    return answered(tally, LABELS, said, session=session, teacher=teacher)


def test_an_answer_is_counted_and_told(tally):
    value = say(tally, right=True, mine=[3, 4])
    assert value["question"] == "object" and tally.read("object") == Count(1, 1)
    assert value["mine"].startswith("You: 3 of 4 right") and "1 of 1 right" in value["all"]
    assert value["models"] == [
        {"key": "foundation", "label": "Pretrained"}, {"key": "scratch", "label": "From scratch"},
    ]  # fmt: skip
    say(tally, right=False, session="another")
    assert tally.read("object") == Count(1, 2)


def test_asking_how_it_stands_counts_nothing(tally):
    assert say(tally)["mine"] == "" and tally.read("object") == Count()


def test_one_too_many_is_told_and_not_counted(tally):
    said = [say(tally, right=True)["all"] for _ in range(MAX_PER_MINUTE + 1)]
    assert tally.read("object") == Count(MAX_PER_MINUTE, MAX_PER_MINUTE)
    assert "does not count" in said[-1] and "does not count" not in said[-2]


def test_only_a_teacher_begins_anew(tally):
    say(tally, right=True)
    with pytest.raises(ValueError, match="teacher=1"):
        say(tally, reset=True)
    assert tally.read("object") == Count(1, 1)
    assert "Nobody" in say(tally, reset=True, teacher=True)["all"]
    assert tally.read("object") == Count()


@pytest.mark.parametrize("wrong", [
    {"question": "another"}, {"question": None}, {"question": ["object"]}, {"right": "yes"},
    {"right": 2},
])  # fmt: skip
def test_what_no_page_says_is_refused(tally, wrong):
    with pytest.raises(ValueError, match="expected"):
        say(tally, **wrong)
    assert tally.read("object") == Count()


@pytest.mark.parametrize(
    "mine", [None, "77", [1], [2, 1], [-1, 1], [0.5, 1], [0, 10**9], [1, 1, 1]]
)
def test_impossible_counts_of_ones_own_are_not_told(tally, mine):
    assert say(tally, right=True, mine=mine)["mine"] == ""


def test_the_pair_needs_two_models_and_one_of_them_pretrained():
    for labels in ({"foundation": "F"}, {"a": "A", "b": "B"}, LABELS | {"c": "C"}):
        with gr.Blocks(), pytest.raises(ValueError, match="two models expected"):
            pair_question(labels)


@pytest.mark.parametrize("name", ["abx", "pair"])
def test_templates_and_scripts_fit_together(name):
    html, css = asset(f"{name}.html"), asset("guess.css")
    js = asset("tally.js") + asset(f"{name}.js")
    for template in (html, css):  # that Gradio would fill in
        assert not re.search(r"\$\{|\{\{|`|\\", template)
    used = set(re.findall(r"\bpart\.(\w+)", js)) | set(re.findall(r'\? "(\w+)" : "\w+"\]', js))
    used |= {"a", "x", "b"} if name == "abx" else {"left", "right"}  # by their names alone
    assert used == set(re.findall(r'data-part="(\w+)"', html))
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)rem", css)]
    assert sizes and min(sizes) * 16 >= 14


def test_no_file_reaches_elsewhere_or_outgrows_the_screen():
    files = [path for path in FOLDER.iterdir() if path.is_file()]
    assert {path.suffix for path in files} >= {".py", ".js", ".css", ".html"}
    for path in files:
        assert "http" not in path.read_text() and len(path.read_text().splitlines()) <= 300


def test_what_was_drawn_is_in_no_markup():
    """Which is which is known to variables alone until there is an answer."""
    for name in ("abx", "pair"):
        assert "dataset" not in asset(f"{name}.js") and "setAttribute" not in asset(f"{name}.js")
        assert "Math.random" not in asset(f"{name}.js")  # whose state a page can work out


def test_both_stand_on_the_page_and_their_events_are_its_own(pipeline, sound_pipeline, tmp_path):
    demo = build_app(pipeline, sound=sound_pipeline, examples=tmp_path, weights=tmp_path)
    names = {block._id: getattr(block, "elem_id", None) for block in demo.blocks.values()}
    events = {names[fn.targets[0][0]]: fn for fn in demo.fns.values()
              if fn.targets and str(names.get(fn.targets[0][0])).startswith("guess-")}  # fmt: skip
    assert set(events) == {"guess-object", "guess-sound"}
    for fn in events.values():
        assert fn.api_visibility == "private" and fn.collects_event_data
    keys = {one["key"] for one in events["guess-sound"].outputs[0].value["models"]}
    assert keys == set(sound_pipeline.models)


def test_a_sound_is_counted_apart_for_each_model_and_reset_from_a_teachers_address():
    with gr.Blocks() as demo:
        hearing_question(LABELS)
    (fn,) = demo.fns.values()

    def say(question, right=None, address=None, **more):
        event = gr.EventData(None, {"question": question, "right": right, "mine": [1, 1], **more})
        return fn.fn(event, gr.Request(session_hash="s", query_params=address or {}))["all"]

    assert "1 of 1 right" in say("sound-scratch", True)
    assert "Nobody" in say("sound-foundation")
    for address in ({}, {"teacher": "0"}):
        with pytest.raises(gr.Error, match="teacher=1"):
            say("sound-scratch", address=address, reset=True)
    assert "Nobody" in say("sound-scratch", address={"teacher": "1"}, reset=True)
    with pytest.raises(gr.Error, match="question"):
        fn.fn(gr.EventData(None, None), gr.Request(session_hash="s", query_params={}))
