"""What the tab finds to show: the picture on the stage, and another to morph to."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from hyperdemo.ui.inside import tab
from hyperdemo.ui.inside.tab import inside_tab, look
from hyperdemo.ui.object.callbacks import Callbacks
from tests.ui.conftest import write_object
from tests.ui.inside.test_packed import read


class Stage(Callbacks):
    """Of the object tab, what is asked of it, without its page."""

    def __init__(self, pipeline, held_out=()):
        self.pipeline, self.held_out = pipeline, held_out
        self.examples = {one.picture.parent.name: one.picture for one in held_out}

    def prepared(self, picture, editor, ticket):
        from hyperdemo.media import decode_image

        return self.pipeline.prepare(decode_image(picture))


@pytest.fixture
def kept(tmp_path):
    """Keeps files as Gradio's cache does; gives where."""

    def keep(path: Path) -> str:
        return str(shutil.copy(path, tmp_path))

    return keep


def test_both_models_are_opened(pipeline, picture, kept):
    value = look(pipeline, Stage(pipeline), picture, None, None, cached=kept)
    assert [one["key"] for one in value["models"]] == list(pipeline.models)
    assert value["other"] == "" and set(value["runtime"]) == {"core", "webgl", "wasm", "simd"}
    _, arrays = read(Path(value["models"][0]["file"]["path"]).read_bytes())
    assert arrays["picture"].shape == (28, 28, 3) and "other0" not in arrays
    wasm = Path(value["runtime"]["simd"]["path"]).read_bytes()
    assert wasm.startswith(b"\0asm")


def test_a_picture_is_morphed_to_another(pipeline, picture, rgba, kept, tmp_path, monkeypatch):
    from hyperdemo.examples import find_held_out

    for name, turned in (("box", rgba), ("tall", rgba.transpose(1, 0, 2))):
        write_object(tmp_path / "objects" / name, turned)
    held_out = find_held_out(tmp_path / "objects")
    stage = Stage(pipeline, held_out)
    monkeypatch.setattr(tab, "MORPH_TO", ("box", "tall"))
    for name, goal in (("tall", "box"), ("box", "tall")):
        path = str(stage.examples[name])
        value = look(pipeline, stage, path, None, None, cached=kept)
        assert value["other"] == "a brown box"
        file = Path(value["models"][0]["file"]["path"]).read_bytes()
        _, arrays = read(file)
        direct = look(pipeline, stage, str(stage.examples[goal]), None, None, cached=kept)
        _, goals = read(Path(direct["models"][0]["file"]["path"]).read_bytes())
        assert (arrays["other1"] == goals["mask1"]).all()


def test_without_any_picture_one_is_asked_for(pipeline, kept):
    with pytest.raises(ValueError, match="Choose a picture"):
        look(pipeline, Stage(pipeline), None, None, None, cached=kept)


def test_who_opens_it_again_sees_the_picture_of_then(pipeline):
    """By itself Gradio would let the second time go by while it works at the first."""
    callbacks = Stage(pipeline)
    with gr.Blocks(analytics_enabled=False) as demo:
        callbacks.page = SimpleNamespace(picture=gr.Image(), editor=gr.Image(), cut=gr.State())
        with gr.Tab() as opened:
            inside_tab(opened, pipeline, callbacks)
    (shown,) = (fn for fn in demo.fns.values() if (opened._id, "select") in fn.targets)
    assert shown.trigger_mode == "always_last"
