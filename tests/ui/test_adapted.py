from pathlib import Path

import gradio as gr
import pytest
from gradio.components.image_editor import EditorData
from gradio.data_classes import FileData, ImageData
from gradio.utils import get_upload_folder
from PIL import Image

from hyperdemo.ui.adapted import picture_file, stroke_editor


def made_anew(component):
    """As Gradio does for a session in which the component was updated."""
    return type(component)(**component.constructor_args)


def test_a_picture_is_handed_on_by_its_path_whether_or_not_it_is_there():
    for picture in (first := picture_file(sources=["upload"]), made_anew(first)):
        gone = str(Path(get_upload_folder()).resolve() / "gone.png")
        assert picture.preprocess(ImageData(path=gone)) == gone
        assert picture.preprocess(None) is None
        assert picture.get_config()["name"] == "image"  # what the browser has a component for


def test_strokes_are_read_where_the_background_is_gone(tmp_path):
    layer = FileData(path=str(tmp_path / "layer.png"))
    Image.new("RGBA", (9, 7), (255, 0, 0, 200)).save(layer.path)
    gone = FileData(path="/gone.png")
    for editor in (first := stroke_editor(gone="choose again", layers=False), made_anew(first)):
        assert editor.get_config()["name"] == "imageeditor"
        assert editor.preprocess(None) is None
        given = EditorData(background=gone, layers=[layer], composite=gone)
        (read,) = editor.preprocess(given)["layers"]
        assert read.shape == (7, 9, 4) and (read == (255, 0, 0, 200)).all()
        assert editor.preprocess(EditorData(background=gone))["layers"] == []
        with pytest.raises(gr.Error, match="choose again"):
            editor.preprocess(EditorData(layers=[gone]))
