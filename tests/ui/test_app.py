"""The page's callbacks, its wiring and its API, on tiny models."""

import re
import shutil
import struct
import zlib
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from hyperdemo.ui import build_app, launch_options
from hyperdemo.ui.object import texts
from hyperdemo.ui.object.callbacks import SETTINGS
from hyperdemo.ui.object.cuts import MAX_WAIT_S
from hyperdemo.ui.object.examples import find_held_out
from hyperdemo.ui.object.outline import CUT_COLOUR
from hyperdemo.ui.style import PENDING
from tests.ui.conftest import write_examples

ROOT = Path(__file__).resolve().parents[2]
SMALL = {"size": 128, "seconds": 2, "elevation_deg": 20}


@pytest.fixture(scope="module")
def examples(rgba, tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp("examples"), rgba)


@pytest.fixture(scope="module")
def demo(pipeline, examples):
    return build_app(pipeline, examples=examples, weights=examples)


@pytest.fixture
def callbacks(demo):
    """The bound callbacks, found as Gradio would call them."""
    return next(fn.fn for fn in demo.fns.values() if fn.api_name == "find_object").__self__


def photo():
    """An object before a plain wall, RGB."""
    pixels = np.full((60, 80, 3), 235, np.uint8)
    pixels[20:40, 20:60] = (200, 90, 40)
    return Image.fromarray(pixels)


def save_png_header(path, width, height):
    """As much of a PNG as tells its size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0")
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c))
              for c in (header, data, b"IEND")]  # fmt: skip
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def save_bad(kind, folder):
    path = folder / f"{kind}.png"
    match kind:
        case "no picture":
            path.write_bytes(b"this is a letter, not a picture")
        case "empty file":
            path.write_bytes(b"")
        case "cut short":
            photo().resize((800, 600)).save(path)
            path.write_bytes(path.read_bytes()[:900])
        case "transparent":
            Image.new("RGBA", (64, 64)).save(path)
        case "one colour":
            Image.new("RGB", (64, 64), "teal").save(path)
        case "one pixel":
            Image.new("RGB", (1, 1)).save(path)
        case "huge":
            save_png_header(path, 12_000, 12_000)
        case "drawing":
            path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')
    return str(path)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("no picture", "not one this program knows"),
        ("empty file", "empty file"),
        ("cut short", "damaged or cut short"),
        ("transparent", "every pixel is transparent"),
        ("one colour", "all of one colour"),
        ("one pixel", "at least 16 x 16"),
        ("huge", "12000 x 12000"),
        ("drawing", "SVG"),
    ],
)
def test_bad_pictures_get_a_clear_message(callbacks, kind, words, tmp_path):
    picture = save_bad(kind, tmp_path)
    with pytest.raises(gr.Error) as caught:
        callbacks.find_object(picture)
    assert words in caught.value.message
    with pytest.raises(gr.Error) as caught:
        list(callbacks.generate(picture, None, 128, 2, 20, None))
    assert words in caught.value.message


def save_odd(kind, folder):
    path = folder / "odd.png"
    match kind:
        case "16 bit":
            grey = np.asarray(photo().convert("L")).astype(np.uint16) * 257
            Image.fromarray(grey).save(path)
        case "CMYK":
            photo().convert("CMYK").save(path := folder / "odd.jpg")
        case "palette":
            photo().convert("P").save(path)
        case "animated":
            frames = [photo(), photo().rotate(90)]
            frames[0].save(path := folder / "odd.gif", save_all=True, append_images=frames[1:])
        case "turned by EXIF":
            exif = Image.Exif()
            exif[274] = 6
            photo().save(path := folder / "odd.jpg", exif=exif, quality=95)
    return str(path)


@pytest.mark.parametrize("kind", ["16 bit", "CMYK", "palette", "animated", "turned by EXIF"])
def test_odd_pictures_are_taken(callbacks, kind, tmp_path):
    shown = callbacks.find_object(save_odd(kind, tmp_path))
    framed = shown[callbacks.page.framed]
    upright = kind != "turned by EXIF"
    object_pixels = np.argwhere((framed < 200).any(axis=-1))
    height, width = np.ptp(object_pixels, axis=0)
    assert (width > height) == upright


def test_nothing_uploaded(callbacks):
    shown = callbacks.find_object(None)
    assert all(value in (None, "") for value in shown.values())
    assert callbacks.correct_object(None, None, None) == (None, "")
    with pytest.raises(gr.Error, match="got nothing"):
        list(callbacks.generate(None, None, 128, 2, 20, None))


def test_transparency_survives_and_is_named(callbacks, picture):
    shown = callbacks.find_object(picture)
    assert "its transparency" in shown[callbacks.page.words]
    ticket = shown[callbacks.page.cut]
    assert callbacks.cuts.find(ticket).found.mask_source == "alpha"


def test_a_held_out_object_is_recognised(callbacks, examples):
    shown = callbacks.find_object(str(examples / "objects" / "box" / "input.webp"))
    assert "A brown box" in shown[callbacks.page.words]


def stroke(rows, columns, shape=(60, 80)):
    layer = np.zeros((*shape, 4), np.uint8)
    layer[rows, columns] = (*bytes.fromhex(CUT_COLOUR[1:]), 255)
    return {"background": None, "layers": [layer], "composite": None}


def test_strokes_change_what_the_models_see(callbacks, picture):
    before = callbacks.find_object(picture)
    cut = before[callbacks.page.cut]
    editor = stroke(slice(0, 60), slice(40, 80))  # leaves the left half of the box: a square
    framed, words = callbacks.correct_object(picture, editor, cut)
    assert "you, with the brush" in words
    assert not np.array_equal(framed, before[callbacks.page.framed])
    untouched, _ = callbacks.correct_object(picture, {"layers": []}, cut)
    assert np.array_equal(untouched, before[callbacks.page.framed])


def test_an_outline_of_another_picture_is_not_used(callbacks, picture, tmp_path):
    other = tmp_path / "other.png"
    Image.new("RGB", (64, 64), "teal").save(other)
    cut = callbacks.find_object(picture)[callbacks.page.cut]
    with pytest.raises(gr.Error, match="one colour"):
        callbacks.correct_object(str(other), None, cut)


def test_a_picture_whose_file_is_gone_is_taken_from_what_is_held(callbacks, picture):
    ticket = callbacks.find_object(picture)[callbacks.page.cut]
    Path(picture).unlink()
    run = callbacks.generate(picture, None, 32, 2, 20, ticket)
    assert callbacks.page.stream in next(run)
    run.close()
    framed, _ = callbacks.correct_object(picture, stroke(slice(0, 60), slice(40, 80)), ticket)
    assert framed is not None
    callbacks.cuts.drop(ticket)
    for answer in (
        lambda: list(callbacks.generate(picture, None, 32, 2, 20, ticket)),
        lambda: callbacks.correct_object(picture, None, ticket),
    ):
        with pytest.raises(gr.Error, match="waited so long .* choose it once more"):
            answer()


def test_a_visitor_holds_one_picture_and_none_after_leaving(callbacks, demo, picture, examples):
    page, before = callbacks.page, callbacks.cuts.n_bytes
    first = callbacks.find_object(picture)[page.cut]
    held = callbacks.cuts.n_bytes
    second = callbacks.find_object(str(examples / "photo.jpg"), first)[page.cut]
    assert callbacks.cuts.find(first) is None and callbacks.cuts.n_bytes <= held
    assert page.cut.time_to_live == MAX_WAIT_S
    page.cut.delete_callback(second)  # what Gradio calls an hour after a tab was closed
    assert callbacks.cuts.n_bytes == before


def test_an_empty_outline_gets_a_clear_message(callbacks, picture):
    editor = stroke(slice(0, 60), slice(0, 80))
    with pytest.raises(gr.Error, match="mask is empty"):
        callbacks.correct_object(picture, editor, None)


@pytest.mark.parametrize("settings", [(20, 2, 20), (129, 2, 20), (128, 0, 20), (128, 2, 95)])
def test_settings_out_of_range_are_refused(callbacks, picture, settings):
    size, seconds, elevation = settings
    if size == 20:
        size = 8
    with pytest.raises(gr.Error, match="must be"):
        list(callbacks.generate(picture, None, size, seconds, elevation, None))


def test_a_run_leaves_no_files_behind(callbacks, picture, tmp_path, monkeypatch):
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    run = callbacks.generate(picture, None, 32, 2, 20, None)
    for update in run:
        if callbacks.page.stream in update and isinstance(update[callbacks.page.stream], str):
            assert Path(update[callbacks.page.stream]).is_file()
            break
    assert list(folder.iterdir())
    run.close()
    assert not list(folder.iterdir())


def test_every_event_has_its_name_and_its_words(demo):
    named = {fn.api_name: fn for fn in demo.fns.values() if fn.api_visibility == "public"}
    assert {"find_object", "correct_object", "generate"} <= set(named)
    for name in ("find_object", "correct_object", "generate"):
        assert named[name].fn.__doc__
    described = demo.get_api_info()["named_endpoints"]
    assert {"/find_object", "/correct_object", "/generate"} == set(described)


def test_no_font_and_no_script_comes_from_elsewhere():
    options = launch_options()
    assert "googleapis" not in options["theme"]._get_theme_css()
    assert not options["theme"]._stylesheets
    assert "http" not in options["css"]


def test_the_page_stands_without_examples(pipeline, tmp_path):
    assert find_held_out(tmp_path) == []
    build_app(pipeline, examples=tmp_path / "none", weights=tmp_path)


@pytest.fixture
def client(demo, ffmpeg, monkeypatch):
    monkeypatch.setattr("hyperdemo.ui.object.callbacks.FPS", 4)  # fewer frames, as many chunks
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    try:
        yield Client(url, verbose=False)
    finally:
        demo.close()


def test_the_api_answers_and_survives_bad_input(client, picture, tmp_path, examples):
    outline, framed, words = client.predict(handle_file(picture), api_name="/find_object")
    assert Path(framed).is_file() and "its transparency" in words
    assert outline["layers"] == []
    bad = save_bad("one colour", tmp_path)
    with pytest.raises(AppError, match="one colour"):
        client.predict(handle_file(bad), None, *SMALL.values(), api_name="/generate")
    with pytest.raises(AppError, match="not one this program knows"):
        letter = save_bad("no picture", tmp_path)
        client.predict(handle_file(letter), None, *SMALL.values(), api_name="/generate")
    box = shutil.copy(examples / "objects" / "box" / "input.webp", tmp_path / "mine.webp")
    out = client.predict(handle_file(box), None, *SMALL.values(), api_name="/generate")
    text = " ".join(str(value) for value in out)
    assert ".mp4" in text and text.count(".glb") == 2 and text.count(".zip") == 2
    assert len(set(re.findall(r"field-\w+\.volume", text))) == 2
    assert re.search(r"done in [\d.]+ s on CPU", text) and "A brown box" in text


def test_what_fails_is_called_a_failure_and_can_be_tried_again(callbacks, tmp_path):
    page, run = callbacks.page, callbacks.generate(None, None, 128, 2, 20, None)
    last = next(run)
    assert texts.FAILED in last[page.status] and "stopped" not in last[page.status]
    assert last[page.run].visible and not last[page.stop].visible
    with pytest.raises(gr.Error):
        next(run)


def asked(**parameters):
    """A visit to the page, by this address."""
    return gr.Request(query_params=parameters)


def of_the_viewer(shown, page):
    return [panel["file"] for panel in shown[page.viewer]["panels"]]


def test_an_example_is_made_once_and_then_there_for_everybody(pipeline, examples, monkeypatch):
    monkeypatch.setattr("hyperdemo.ui.object.callbacks.FPS", 4)
    demo = build_app(pipeline, examples=examples, weights=examples)
    callbacks = next(fn.fn for fn in demo.fns.values() if fn.api_name == "find_object").__self__
    page = callbacks.page
    box = str(examples / "objects" / "box" / "input.webp")
    # Nobody is made to wait for what nobody asked for; but who comes for it gets it.
    assert page.viewer not in callbacks.open_page(asked())
    wanted = callbacks.open_page(asked(example="box"))
    assert wanted[page.wanted].startswith("run") and wanted[page.picture] == box
    assert callbacks.show_example(box)[page.wanted] != wanted[page.wanted]

    unusual = SETTINGS | {"seconds": 2}
    list(callbacks.generate(box, None, **unusual, ticket=None))
    assert callbacks.show_example(box)[page.wanted]  # what other settings gave is not kept
    *_, made = callbacks.generate(box, None, **(SETTINGS | {"ticket": None}))
    monkeypatch.setattr(callbacks, "_run", None)  # no model runs from here on
    for shown in (callbacks.show_example(box), callbacks.open_page(asked(example="box"))):
        assert shown[page.wanted] == "" and "made before" in shown[page.status]
        assert of_the_viewer(shown, page) == of_the_viewer(made, page)
        assert shown[page.viewer]["truth"]["angles"][1] == pytest.approx([120, 20], abs=1e-3)
        assert shown[page.run].visible and "A brown box" in shown[page.caption]
        assert shown[page.scores] == made[page.scores]
        for file in (shown[page.orbit].value, *(shown[n].value for n in page.networks.values())):
            assert Path(file["path"] if isinstance(file, dict) else file).is_file()


def test_another_picture_leaves_nothing_of_the_one_before(callbacks):
    page, shown = callbacks.page, callbacks.page.changed()
    assert of_the_viewer(shown, page) == [None, None] and shown[page.viewer]["video"] is None
    assert shown[page.caption] == shown[page.status] == ""
    assert shown[page.hint].visible and shown[page.run].visible and not shown[page.stop].visible
    assert shown[page.results].elem_classes == PENDING


def test_an_unknown_example_opens_the_page_as_ever(callbacks):
    assert callbacks.open_page(asked(example="../../etc")) == {callbacks.page.status: ""}
