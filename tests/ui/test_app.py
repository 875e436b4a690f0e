"""The page's callbacks, its wiring and its API, on tiny models."""

import io
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

from bench.app import page_event
from hyperdemo.ui import build_app, launch_options
from hyperdemo.ui.object import texts
from hyperdemo.ui.object.callbacks import SETTINGS, SHARPEN_STEPS
from hyperdemo.ui.object.cuts import MAX_WAIT_S
from hyperdemo.ui.object.outline import CUT_COLOUR
from hyperdemo.ui.style import PENDING
from tests.ui.conftest import write_examples

SMALL = (128, 2, 20)  # pixels, seconds, degrees


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


def file_bytes(picture, kind="PNG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def png_of_size(width, height):
    """As much of a PNG as states its size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in (header, b"IDAT" + zlib.compress(b"\0"), b"IEND")
    )


BAD = {
    "no picture": (b"this is a letter, not a picture", "not one this program knows"),
    "empty file": (b"", "empty file"),
    "cut short": (file_bytes(photo().resize((800, 600)))[:900], "damaged or cut short"),
    "transparent": (file_bytes(Image.new("RGBA", (64, 64))), "every pixel is transparent"),
    "one colour": (file_bytes(Image.new("RGB", (64, 64), "teal")), "all of one colour"),
    "one pixel": (file_bytes(Image.new("RGB", (1, 1))), "at least 16 x 16"),
    "huge": (png_of_size(12_000, 12_000), "12000 x 12000"),
    "drawing": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "SVG"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_pictures_get_a_clear_message(callbacks, kind, tmp_path):
    content, words = BAD[kind]
    picture = tmp_path / "bad.png"
    picture.write_bytes(content)
    with pytest.raises(gr.Error, match=words):
        callbacks.find_object(str(picture))
    with pytest.raises(gr.Error, match=words):
        list(callbacks.generate(str(picture), None, 128, 2, 20, None))


def turned_by_exif():
    exif = Image.Exif()
    exif[274] = 6
    return file_bytes(photo(), "JPEG", exif=exif, quality=95)


ODD = {
    "16 bit": file_bytes(Image.fromarray(np.asarray(photo().convert("L")).astype(np.uint16) * 257)),
    "CMYK": file_bytes(photo().convert("CMYK"), "JPEG"),
    "palette": file_bytes(photo().convert("P")),
    "animated": file_bytes(photo(), "GIF", save_all=True, append_images=[photo().rotate(90)]),
    "turned by EXIF": turned_by_exif(),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_pictures_are_taken(callbacks, kind, tmp_path):
    (tmp_path / "odd").write_bytes(ODD[kind])
    framed = callbacks.find_object(str(tmp_path / "odd"))[callbacks.page.framed]
    height, width = np.ptp(np.argwhere((framed < 200).any(axis=-1)), axis=0)
    assert (width > height) == (kind != "turned by EXIF")


def test_nothing_uploaded(callbacks):
    shown = callbacks.find_object(None)
    assert all(value in (None, "") for value in shown.values())
    assert callbacks.correct_object(None, None, None) == (None, "")
    with pytest.raises(gr.Error, match="got nothing"):
        list(callbacks.generate(None, None, 128, 2, 20, None))


def test_transparency_survives_and_held_out_objects_are_recognised(callbacks, picture, examples):
    shown = callbacks.find_object(picture)
    assert "its transparency" in shown[callbacks.page.words]
    assert callbacks.cuts.find(shown[callbacks.page.cut]).found.mask_source == "alpha"
    shown = callbacks.find_object(str(examples / "objects" / "box" / "input.webp"))
    assert "A brown box" in shown[callbacks.page.words]


def cut_right_of(column):
    """The editor's value after a stroke over all to the right of a column."""
    layer = np.zeros((60, 80, 4), np.uint8)
    layer[:, column:] = (*bytes.fromhex(CUT_COLOUR[1:]), 255)
    return {"background": None, "layers": [layer], "composite": None}


def test_strokes_change_what_the_models_see(callbacks, picture):
    before = callbacks.find_object(picture)
    cut = before[callbacks.page.cut]
    framed, words = callbacks.correct_object(picture, cut_right_of(40), cut)  # half the box is left
    assert "you, with the brush" in words
    assert not np.array_equal(framed, before[callbacks.page.framed])
    untouched, _ = callbacks.correct_object(picture, {"layers": []}, cut)
    assert np.array_equal(untouched, before[callbacks.page.framed])
    with pytest.raises(gr.Error, match="mask is empty"):
        callbacks.correct_object(picture, cut_right_of(0), None)


def test_another_outline_is_taken_and_the_first_comes_back(callbacks, picture):
    page, before = callbacks.page, callbacks.find_object(picture)
    whole = callbacks.choose_outline(picture, before[page.cut], "whole")
    assert "nothing cut away" in whole[page.words]
    assert not np.array_equal(whole[page.framed], before[page.framed])
    framed, _ = callbacks.correct_object(picture, None, whole[page.cut])
    assert np.array_equal(framed, whole[page.framed])
    again = callbacks.choose_outline(picture, whole[page.cut], None)
    assert np.array_equal(again[page.framed], before[page.framed])
    assert callbacks.cuts.find(whole[page.cut]) is None
    assert callbacks.choose_outline(None, None, "whole") == gr.skip()


def test_an_outline_of_another_picture_is_not_used(callbacks, picture, tmp_path):
    other = tmp_path / "other.png"
    other.write_bytes(BAD["one colour"][0])
    cut = callbacks.find_object(picture)[callbacks.page.cut]
    with pytest.raises(gr.Error, match="one colour"):
        callbacks.correct_object(str(other), None, cut)


def test_a_picture_whose_file_is_gone_is_taken_from_what_is_held(callbacks, picture):
    ticket = callbacks.find_object(picture)[callbacks.page.cut]
    Path(picture).unlink()
    run = callbacks.generate(picture, None, 32, 2, 20, ticket)
    assert callbacks.page.stream in next(run)
    run.close()
    framed, _ = callbacks.correct_object(picture, cut_right_of(40), ticket)
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


@pytest.mark.parametrize("settings", [(8, 2, 20), (129, 2, 20), (128, 0, 20), (128, 2, 95)])
def test_settings_out_of_range_are_refused(callbacks, picture, settings):
    with pytest.raises(gr.Error, match="must be"):
        list(callbacks.generate(picture, None, *settings, None))


def test_a_run_leaves_no_files_behind(callbacks, picture, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(folder := tmp_path / "temp"))
    folder.mkdir()
    run = callbacks.generate(picture, None, 32, 2, 20, None)
    shown = (update.get(callbacks.page.stream) for update in run)
    assert Path(next(value for value in shown if isinstance(value, str))).is_file()
    assert list(folder.iterdir())
    run.close()
    assert not list(folder.iterdir())


def test_no_font_and_no_script_comes_from_elsewhere(pipeline):
    options = launch_options(pipeline)
    assert "googleapis" not in options["theme"]._get_theme_css()
    assert not options["theme"]._stylesheets
    assert "http" not in options["css"]


@pytest.fixture
def client(demo, pipeline, ffmpeg, monkeypatch):
    monkeypatch.setattr("hyperdemo.ui.object.callbacks.FPS", 4)  # fewer frames, as many chunks
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(pipeline))
    try:
        yield Client(url, verbose=False)
    finally:
        demo.close()


def test_the_page_is_answered_and_survives_bad_input(client, picture, tmp_path, examples):
    find, generate = (page_event(client, name) for name in ("find_object", "generate"))
    outline, framed, words = client.predict(handle_file(picture), fn_index=find)
    assert Path(framed).is_file() and "its transparency" in words
    assert outline["layers"] == []
    for kind in ("one colour", "no picture"):
        content, words = BAD[kind]
        (tmp_path / "bad.png").write_bytes(content)
        with pytest.raises(AppError, match=words):
            bad = handle_file(tmp_path / "bad.png")
            client.predict(bad, None, *SMALL, False, fn_index=generate)
    box = shutil.copy(examples / "objects" / "box" / "input.webp", tmp_path / "mine.webp")
    out = client.predict(handle_file(box), None, *SMALL, False, fn_index=generate)
    text = " ".join(str(value) for value in out)
    assert ".mp4" in text and text.count(".glb") == 2 and text.count(".zip") == 2
    assert len(set(re.findall(r"field-\w+\.volume", text))) == 2
    assert re.search(r"done in [\d.]+ s on CPU", text) and "A brown box" in text


def test_sharpening_is_requested_of_the_pipeline(callbacks, picture, monkeypatch):
    steps = []

    def stream(pipeline, prepared, request, **options):
        steps.append(request.refine_steps)
        return iter(())

    monkeypatch.setattr("hyperdemo.ui.object.callbacks.stream_views", stream)
    for sharpen in (False, True):
        list(callbacks.generate(picture, None, *SMALL, None, sharpen))
    assert steps == [0, SHARPEN_STEPS]


def test_what_fails_is_called_a_failure(callbacks, tmp_path):
    page, run = callbacks.page, callbacks.generate(None, None, 128, 2, 20, None)
    last = next(run)
    assert texts.FAILED in last[page.status] and "stopped" not in last[page.status]
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
        assert "A brown box" in shown[page.caption]
        assert shown[page.scores] == made[page.scores]
        for file in (shown[page.orbit].value, *(shown[n].value for n in page.networks.values())):
            assert Path(file["path"] if isinstance(file, dict) else file).is_file()


def test_another_picture_leaves_nothing_of_the_one_before(callbacks):
    page, shown = callbacks.page, callbacks.page.changed()
    assert of_the_viewer(shown, page) == [None, None] and shown[page.viewer]["video"] is None
    assert shown[page.caption] == shown[page.status] == ""
    assert shown[page.hint].visible and shown[page.wanted] == ""
    assert shown[page.results].elem_classes == PENDING


def test_an_unknown_example_opens_the_page_as_ever(callbacks):
    assert callbacks.open_page(asked(example="../../etc")) == {callbacks.page.status: ""}
