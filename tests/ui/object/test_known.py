"""The page beside the objects of training: what it shows of them, and when that goes again."""

import pytest

from hyperdemo.pipeline import ViewPipeline
from hyperdemo.ui import build_app
from hyperdemo.ui.object.callbacks import SETTINGS
from hyperdemo.ui.object.texts import FAR
from tests.pipeline.conftest import CPU
from tests.pipeline.test_compared import planted
from tests.ui.conftest import write_examples


@pytest.fixture
def examples(rgba, tmp_path):
    return write_examples(tmp_path / "examples", rgba)


@pytest.fixture
def callbacks_of(pipeline, examples, monkeypatch):
    """The page's callbacks, where the pipeline knows these objects."""
    monkeypatch.setattr("hyperdemo.ui.object.callbacks.FPS", 4)

    def build(known):
        own = ViewPipeline(pipeline.models, device=CPU, known=known)
        demo = build_app(own, examples=examples, weights=examples)
        fns = demo.fns.values()
        return next(fn.fn for fn in fns if fn.api_name == "find_object").__self__

    return build


def said(callbacks, picture, **settings):
    """What each update of a run puts beside the input, where it puts something there."""
    chosen = SETTINGS | {"size": 32, "seconds": 2} | settings
    updates = callbacks.generate(picture, None, **chosen, ticket=None)
    return [shown[callbacks.page.known] for shown in updates if callbacks.page.known in shown]


@pytest.mark.parametrize(("away", "far"), [(0.05, False), (0.4, True)])
def test_the_nearest_stands_beside_the_input_early_and_to_the_end(
    callbacks_of, pipeline, rgba, picture, away, far
):
    framed = pipeline.prepare(rgba).framed
    known = planted(pipeline.models["foundation"], framed, away=away)
    callbacks = callbacks_of(known)
    assert callbacks.page.known in callbacks.page.run_outputs()
    first, *rest = said(callbacks, picture)
    assert first == "" and len(rest) == 2 and len(set(rest)) == 1
    assert "Nearest among the 5 objects of training: thing" in rest[0]
    assert 'alt="thing, an object of training"' in rest[0]
    assert (FAR in rest[0]) is far
    assert callbacks.page.changed()[callbacks.page.known] == ""  # another picture was given


def test_an_example_that_is_kept_says_it_too(callbacks_of, pipeline, examples, rgba):
    known = planted(pipeline.models["foundation"], pipeline.prepare(rgba).framed)
    callbacks = callbacks_of(known)
    box = str(examples / "objects" / "box" / "input.webp")
    *_, last = said(callbacks, box, **SETTINGS)
    assert callbacks.show_example(box)[callbacks.page.known] == last != ""


def test_where_nothing_is_known_nothing_is_said(callbacks_of, picture):
    assert set(said(callbacks_of(None), picture)) == {""}
