import io
from pathlib import Path

import gradio as gr
import pytest
from gradio.components.image_editor import EditorData
from gradio.data_classes import DataWithFiles, FileData, ImageData
from gradio.state_holder import SessionState
from gradio.utils import get_upload_folder
from PIL import Image

from hyperdemo.ui.adapted import light_sessions, picture_file, stroke_editor


def made_anew(component):
    """As Gradio does for a session in which the component was updated."""
    return type(component)(**component.constructor_args)


def test_a_picture_is_handed_on_by_its_path_whether_or_not_it_is_there():
    for picture in (first := picture_file(sources=["upload"]), made_anew(first)):
        gone = str(Path(get_upload_folder()).resolve() / "gone.png")
        assert picture.preprocess(ImageData(path=gone)) == gone
        assert picture.preprocess(None) is None
        assert picture.get_config()["name"] == "image"  # what the browser has a component for


def buffer_of(picture):
    picture.save(buffer := io.BytesIO(), "PNG")
    return buffer.getvalue()


STROKES = Image.new("RGBA", (19, 17), (255, 0, 0, 200))


def test_strokes_are_read_where_the_background_is_gone(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    layer = FileData(path=str(tmp_path / "layer.png"))
    STROKES.save(layer.path)
    gone = FileData(path=str(tmp_path / "gone.png"))
    for editor in (first := stroke_editor(gone="choose again", layers=False), made_anew(first)):
        assert editor.get_config()["name"] == "imageeditor"
        assert editor.preprocess(None) is None
        given = EditorData(background=gone, layers=[layer], composite=gone)
        (read,) = editor.preprocess(given)["layers"]
        assert read.shape == (17, 19, 4) and (read == (255, 0, 0, 200)).all()
        assert editor.preprocess(EditorData(background=gone))["layers"] == []
        for path, words in ((gone.path, "choose again"), ("/etc/passwd", "uploaded before")):
            with pytest.raises(gr.Error, match=words):
                editor.preprocess(EditorData(layers=[FileData(path=path)]))


def test_strokes_sent_as_bytes_are_read_once_by_the_one_decoder():
    editor, fields = stroke_editor(gone=""), {"type": "layer", "index": "0", "id": "mine"}

    def read(content):
        made_anew(editor).accept_blobs(DataWithFiles(data=fields, files=[("a", content)]))
        return editor.preprocess(EditorData(id="mine"))["layers"]

    assert (read(buffer_of(STROKES))[0] == (255, 0, 0, 200)).all()
    assert editor.preprocess(EditorData(id="mine"))["layers"] == []
    with pytest.raises(gr.Error, match="not one this program knows"):
        read(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\nshowpage\n")
    with pytest.raises(gr.Error, match="million pixels"):
        read(buffer_of(Image.new("1", (12_000, 12_000))))
    with pytest.raises(gr.Error, match="at most"):
        editor.accept_blobs(DataWithFiles(data=fields | {"index": str(10**9)}, files=[("a", b"")]))


def test_a_session_describes_no_component_and_is_otherwise_gradio_s():
    with gr.Blocks() as demo:
        box, state = gr.Textbox("first"), gr.State(3)
        box.submit(lambda word: word, box, box)
    described, page = SessionState(demo), demo.get_config_file()["components"]
    light_sessions(demo)
    session = SessionState(demo)
    assert list(described.components) and not list(session.components)
    assert demo.get_config_file()["components"] == page
    assert session.blocks_config.blocks == described.blocks_config.blocks
    assert session.blocks_config.fns == described.blocks_config.fns
    assert session[state._id] == 3
    session[box._id] = gr.Textbox("second", render=False)
    session._update_config(box._id)
    session._update_value_in_config(box._id, "third")
    assert session[box._id].value == "second" and demo.blocks[box._id] is box
