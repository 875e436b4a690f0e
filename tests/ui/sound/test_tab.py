"""The sound tab's callbacks, its wiring and its API, on tiny models."""

import re
import struct
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import soundfile
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from bench.app import page_event
from hyperdemo.ui import build_app, launch_options
from hyperdemo.ui.object.texts import FAILED
from hyperdemo.ui.sound.tab import find_sounds
from hyperdemo.ui.style import PENDING
from tests.media.sounds import file_bytes, through_ffmpeg
from tests.ui.conftest import chirp
from tests.ui.object.test_tab import ended_by

RATE_HZ = 22_050


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    (folder / "sounds").mkdir()
    soundfile.write(folder / "sounds" / "a-chirp.flac", chirp(), RATE_HZ)
    (folder / "sounds" / "CREDITS.md").write_text("Mine.")
    return folder


@pytest.fixture(scope="module")
def demo(pipeline, sound_pipeline, examples):
    return build_app(pipeline, sound=sound_pipeline, examples=examples, weights=examples)


@pytest.fixture
def callbacks(demo):
    """The bound callbacks, found as Gradio would call them."""
    return next(fn.fn for fn in demo.fns.values() if fn.api_name == "resynthesise").__self__


@pytest.fixture
def clip(tmp_path) -> str:
    path = tmp_path / "chirp.wav"
    soundfile.write(path, chirp(), RATE_HZ)
    return str(path)


def wav(samples, subtype=None):
    return file_bytes(samples, RATE_HZ, "WAV", subtype)


def lying_header():
    whole = bytearray(wav(chirp()))
    whole[24:28] = struct.pack("<I", 7)  # samples per second
    return bytes(whole)


MP3 = through_ffmpeg(chirp(rate_hz=44_100), 44_100, "mp3", "mp3")
BAD = {
    "text": (b"This is a letter.", "got text"),
    "empty file": (b"", "an empty file"),
    "silence": (wav(np.zeros(RATE_HZ)), "got silence"),
    "truncated mp3": (MP3[:500], "choose|damaged or cut short"),
    "one sample": (wav(np.ones(1)), "at least 0.05 s"),
    "not a number": (wav(np.full(RATE_HZ, np.nan), "FLOAT"), "NaN or infinity"),
    "opposite phase": (wav(np.stack([chirp(), -chirp()])), "cancel each other"),
    "a lying header": (lying_header(), "samples a second"),
}


def save_bad(kind, folder):
    path = folder / ("bad.mp3" if kind == "truncated mp3" else "bad.wav")
    path.write_bytes(BAD[kind][0])
    return str(path)


@pytest.mark.parametrize("kind", BAD)
def test_bad_sounds_get_a_clear_message(callbacks, kind, tmp_path):
    with pytest.raises(gr.Error, match=BAD[kind][1]):
        list(callbacks.resynthesise(save_bad(kind, tmp_path)))


def test_what_fails_is_called_a_failure(callbacks):
    page, last = callbacks.page, next(callbacks.resynthesise(None))
    assert FAILED in last[page.status]


def test_nothing_given(callbacks):
    with pytest.raises(gr.Error, match="got nothing"):
        list(callbacks.resynthesise(None))
    with pytest.raises(gr.Error, match="press Resynthesise first"):
        next(callbacks.evaluate(0, None))


def test_a_long_clip_is_cut_and_the_page_says_so(callbacks, tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, 0.1 * np.ones(61 * 8_000), 8_000)
    run = callbacks.resynthesise(str(path))
    assert "first 60 s" in next(run)[callbacks.page.words]
    value = next(run)[callbacks.page.player]
    assert value["n_samples"] == 60 * 8_000
    run.close()


def test_a_run_leaves_each_piece_in_the_cache_once_and_no_other_file(
    callbacks, clip, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(folder := tmp_path / "temp"))
    folder.mkdir()
    copied, player = [], callbacks.page.player
    copy = player.move_resource_to_block_cache
    monkeypatch.setattr(
        player, "move_resource_to_block_cache", lambda path: copied.append(path) or copy(path)
    )
    run = callbacks.resynthesise(clip)
    next(run)
    value = next(run)[player]
    cached = Path(value["tracks"][0]["pieces"][0]["file"]["path"])
    assert cached.is_file() and folder not in cached.parents and list(folder.iterdir())
    assert list(run) and len(copied) > 6 and len(copied) == len(set(copied))
    again = callbacks.resynthesise(clip)
    next(again)
    assert next(again)[player]["run"] != value["run"]  # by which the player tells them apart
    again.close()
    assert {path.name for path in folder.iterdir()} <= {"gradio"}  # its cache of figures
    assert cached.is_file()


def test_an_example_is_made_once_and_then_there_for_everybody(callbacks, examples, monkeypatch):
    page, chirping = callbacks.page, str(examples / "sounds" / "a-chirp.flac")
    wanted = callbacks.show_example(chirping)
    assert wanted[page.wanted].startswith("run") and page.player not in wanted
    assert callbacks.show_example(chirping)[page.wanted] != wanted[page.wanted]
    *_, playing, _, made = callbacks.resynthesise(chirping)
    monkeypatch.setattr(callbacks, "_run", None)  # no model runs from here on
    shown = callbacks.show_example(chirping)
    assert shown[page.wanted] == "" and "made before" in shown[page.status]
    assert shown[page.rate] == 0
    assert shown[page.scores] == made[page.scores] and shown[page.words] == made[page.words]
    assert shown[page.player]["complete"] and shown[page.results].elem_classes == []
    for kept, heard in zip(
        shown[page.player]["tracks"], playing[page.player]["tracks"], strict=True
    ):
        assert [one["start"] for one in kept["pieces"]] == [one["start"] for one in heard["pieces"]]
        for one, other in zip(kept["pieces"], heard["pieces"], strict=True):
            paths = [Path(piece["file"]["path"]) for piece in (one, other)]
            assert paths[0].read_bytes() == paths[1].read_bytes()
    assert callbacks.show_example(chirping)[page.player]["run"] != shown[page.player]["run"]


def test_what_visitors_bring_is_not_kept(callbacks, clip):
    list(callbacks.resynthesise(clip))
    assert callbacks.show_example(clip)[callbacks.page.wanted].startswith("run")


def test_another_sound_leaves_nothing_of_the_one_before(callbacks):
    page, shown = callbacks.page, callbacks.page.changed()
    assert shown[page.player]["n_samples"] == 0 and shown[page.results].elem_classes == PENDING
    assert shown[page.words] == shown[page.status] == "" and shown[page.kept] is None


JOBS = ("generate", "resynthesise", "sound_at_rate", "photo_to_object", "sound_to_network")


def test_pictures_and_sounds_wait_for_each_other(demo):
    fns = {fn.api_name: fn for fn in demo.fns.values()}
    jobs = [fns[name] for name in JOBS]
    assert {fn.concurrency_id for fn in jobs} == {"compute"}
    assert {fn.concurrency_limit for fn in jobs} == {1}


def test_files_at_another_rate_are_of_the_sound_on_the_stage(demo, callbacks):
    page = callbacks.page
    asked = next(fn for fn in demo.fns.values() if fn.api_name == "sound_at_rate")
    assert asked.trigger_mode == "always_last"  # of two choices the second counts
    assert asked.targets == [(page.rate._id, "input")]
    for block, event in ((page.clip, "input"), (page.clip, "clear"), (page.run, "click")):
        assert ended_by(demo, block, event) == [asked]
    (shelf,) = (block for block in demo.blocks.values() if isinstance(block, gr.Dataset))
    assert asked in ended_by(demo, shelf, "click", after=1)  # Gradio's own puts the sound in place


def test_without_models_for_sound_there_is_no_tab(pipeline, examples):
    page = build_app(pipeline, examples=examples, weights=examples)
    assert "resynthesise" not in {fn.api_name for fn in page.fns.values()}
    labels = {getattr(block, "label", None) for block in page.blocks.values()}
    assert "Sound" not in labels


def test_gradio_hands_the_file_on_as_it_came(callbacks, examples):
    """With a format, it would decode and write it anew."""
    assert callbacks.page.clip.format is None and callbacks.page.clip.type == "filepath"
    assert [path.name for path in find_sounds(examples / "sounds")] == ["a-chirp.flac"]
    assert find_sounds(examples / "none") == []


@pytest.fixture(scope="module")
def client(demo, pipeline, sound_pipeline):
    _, url, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, **launch_options(pipeline, sound_pipeline)
    )
    try:
        yield Client(url, verbose=False)
    finally:
        demo.close()


def test_the_page_is_answered_and_survives_bad_input(client, clip, tmp_path):
    run = page_event(client, "resynthesise")
    for kind, (_, words) in BAD.items():
        with pytest.raises(AppError, match=words):
            client.predict(handle_file(save_bad(kind, tmp_path)), fn_index=run)
    out = client.predict(handle_file(clip), fn_index=run)
    text = " ".join(str(value) for value in out)
    assert re.search(r"done in [\d.]+ s on CPU", text) and "STOI" in text
    assert text.count(".zip") >= 2
    waves = client.predict(8_000, fn_index=page_event(client, "sound_at_rate"))
    assert len(waves) == 2
    for wave in waves:
        path = wave["value"] if isinstance(wave, dict) else wave
        assert soundfile.info(path).samplerate == 8_000


def test_every_format_reaches_our_own_decoder(client, tmp_path):
    client = Client(client.src, verbose=False, download_files=False)  # downloads take seconds
    sound = chirp(rate_hz=48_000, seconds=0.3)
    for ending, content in {
        "flac": file_bytes(sound, 48_000, "FLAC"),
        "ogg": file_bytes(sound, 48_000, "OGG", "VORBIS"),
        "mp3": through_ffmpeg(sound, 48_000, "mp3", "mp3"),
        "m4a": through_ffmpeg(sound, 48_000, "mp4", "aac"),
        "webm": through_ffmpeg(sound, 48_000, "webm", "libopus"),
    }.items():
        path = tmp_path / f"clip.{ending}"
        path.write_bytes(content)
        found = client.predict(
            handle_file(str(path)), models="scratch", api_name="/sound_to_network"
        )["result"]
        assert (found["clip_rate_hz"], found["channels_in_file"]) == (48_000, 1), ending
