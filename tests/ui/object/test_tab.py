"""How the tab is wired: which events wait for others, and which end them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from hyperdemo.ui import build_app
from tests.ui.conftest import write_examples


@pytest.fixture(scope="module")
def demo(pipeline, rgba, tmp_path_factory):
    examples = write_examples(tmp_path_factory.mktemp("examples"), rgba)
    return build_app(pipeline, examples=examples, weights=examples)


def called(demo, name):
    """The events that call this callback."""
    return [fn for fn in demo.fns.values() if getattr(fn.fn, "__name__", None) == name]


def ended_by(demo, block, event, *, after=0):
    """What an event cancels before it runs anything, but for some listeners that come first.

    A browser takes listeners in this order, and waits for the answer to each.
    """
    cancelled = []
    for fn in [fn for fn in demo.fns.values() if (block._id, event) in fn.targets][after:]:
        if fn.fn is not None or fn.js:
            break
        cancelled += [demo.fns[each] for each in fn.cancels]
    return cancelled


def test_another_picture_ends_what_was_asked_of_the_outline_before(demo):
    page = called(demo, "find_object")[0].fn.__self__.page
    ended = ended_by(demo, page.picture, "change")
    chosen, corrected = called(demo, "choose_outline"), called(demo, "correct_object")
    assert len(chosen) == len(page.others)
    for fn in (*chosen, *corrected):
        assert fn in ended
    found = next(fn for fn in demo.fns.values() if fn.api_name == "find_object")
    assert (page.picture._id, "change") in found.targets and found not in ended
    (restored,) = (fn for fn in called(demo, "find_object") if fn is not found)
    assert (page.editor._id, "clear") in restored.targets and restored in ended


def test_the_last_outline_that_was_asked_for_is_taken(demo):
    events = called(demo, "choose_outline") + called(demo, "correct_object")
    assert {fn.trigger_mode for fn in events} == {"always_last"}


def test_an_outline_of_no_picture_changes_nothing(demo):
    chosen = called(demo, "choose_outline")[0]
    answer = demo.postprocess_data(chosen, chosen.fn(None, None, "whole"), None)
    with ThreadPoolExecutor(1) as pool:  # a browser's tests may have left a loop in this thread
        shown = pool.submit(asyncio.run, answer).result()
    assert shown == [None, *[gr.skip()] * (len(chosen.outputs) - 1)]  # None hides what is kept
