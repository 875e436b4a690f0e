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

from hyperdemo.ui import build_app, launch_options
from hyperdemo.ui.sound.tab import find_sounds
from tests.media.sounds import file_bytes, through_ffmpeg
from tests.ui.conftest import chirp

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


def save_bad(kind, folder):
    path = folder / f"{kind}.wav"
    match kind:
        case "text":
            path.write_text("This is a letter.")
        case "empty file":
            path.write_bytes(b"")
        case "silence":
            path.write_bytes(file_bytes(np.zeros(RATE_HZ), RATE_HZ, "WAV"))
        case "truncated mp3":
            path = path.with_suffix(".mp3")
            path.write_bytes(through_ffmpeg(chirp(rate_hz=44_100), 44_100, "mp3", "mp3")[:500])
        case "one sample":
            path.write_bytes(file_bytes(np.ones(1), RATE_HZ, "WAV"))
        case "not a number":
            path.write_bytes(file_bytes(np.full(RATE_HZ, np.nan), RATE_HZ, "WAV", "FLOAT"))
        case "opposite phase":
            path.write_bytes(file_bytes(np.stack([chirp(), -chirp()]), RATE_HZ, "WAV"))
        case "a lying header":
            whole = bytearray(file_bytes(chirp(), RATE_HZ, "WAV"))
            whole[24:28] = struct.pack("<I", 7)  # samples a second
            path.write_bytes(bytes(whole))
    return str(path)


def test_each_piece_is_copied_to_the_cache_once(callbacks, clip, monkeypatch):
    copied = []
    player = callbacks.page.player
    copy = player.move_resource_to_block_cache
    monkeypatch.setattr(
        player, "move_resource_to_block_cache", lambda path: copied.append(path) or copy(path)
    )
    for _ in callbacks.resynthesise(clip):
        pass
    assert len(copied) > 6 and len(copied) == len(set(copied))


BAD = {
    "text": "got text",
    "empty file": "an empty file",
    "silence": "got silence",
    "truncated mp3": "choose|damaged or cut short",
    "one sample": "at least 0.05 s",
    "not a number": "NaN or infinity",
    "opposite phase": "cancel each other",
    "a lying header": "samples a second",
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_sounds_get_a_clear_message(callbacks, kind, tmp_path):
    with pytest.raises(gr.Error) as caught:
        next(callbacks.resynthesise(save_bad(kind, tmp_path)))
    assert re.search(BAD[kind], caught.value.message)


def test_nothing_given(callbacks):
    with pytest.raises(gr.Error, match="got nothing"):
        next(callbacks.resynthesise(None))
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


def test_a_run_leaves_no_files_behind_but_in_the_cache(callbacks, clip, tmp_path, monkeypatch):
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    run = callbacks.resynthesise(clip)
    next(run)
    value = next(run)[callbacks.page.player]
    cached = Path(value["tracks"][0]["pieces"][0]["file"]["path"])
    assert cached.is_file() and folder not in cached.parents and list(folder.iterdir())
    run.close()
    assert not list(folder.iterdir()) and cached.is_file()


def test_two_runs_are_told_apart(callbacks, clip):
    def run_of(run):
        next(run)
        value = next(run)[callbacks.page.player]
        run.close()
        return value["run"]

    assert run_of(callbacks.resynthesise(clip)) != run_of(callbacks.resynthesise(clip))


def test_pictures_and_sounds_wait_for_each_other(demo):
    fns = {fn.api_name: fn for fn in demo.fns.values()}
    jobs = [fns[name] for name in ("generate", "resynthesise", "sound_at_rate")]
    assert {fn.concurrency_id for fn in jobs} == {"compute"}
    assert {fn.concurrency_limit for fn in jobs} == {1}


def test_every_event_has_its_name_and_its_words(demo):
    named = {fn.api_name: fn for fn in demo.fns.values() if fn.api_visibility == "public"}
    assert named["resynthesise"].fn.__doc__ and named["sound_at_rate"].fn.__doc__
    described = set(demo.get_api_info()["named_endpoints"])
    assert described == {
        "/find_object", "/correct_object", "/generate", "/resynthesise", "/sound_at_rate",
    }  # fmt: skip


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


@pytest.fixture
def client(demo):
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    try:
        yield Client(url, verbose=False)
    finally:
        demo.close()


def test_the_api_answers_and_survives_bad_input(client, clip, tmp_path):
    for kind, words in BAD.items():
        with pytest.raises(AppError, match=words):
            client.predict(handle_file(save_bad(kind, tmp_path)), api_name="/resynthesise")
    out = client.predict(handle_file(clip), api_name="/resynthesise")
    text = " ".join(str(value) for value in out)
    assert re.search(r"done in [\d.]+ s on CPU", text) and "STOI" in text
    assert text.count(".zip") >= 2
    waves = client.predict(8_000, api_name="/sound_at_rate")
    assert len(waves) == 2
    for wave in waves:
        path = wave["value"] if isinstance(wave, dict) else wave
        assert soundfile.info(path).samplerate == 8_000


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "m4a", "webm"])
def test_every_format_reaches_our_own_decoder(client, kind, tmp_path):
    path = tmp_path / f"clip.{kind}"
    sound = chirp(rate_hz=48_000, seconds=0.3)
    match kind:
        case "flac":
            path.write_bytes(file_bytes(sound, 48_000, "FLAC"))
        case "ogg":
            path.write_bytes(file_bytes(sound, 48_000, "OGG", "VORBIS"))
        case "mp3":
            path.write_bytes(through_ffmpeg(sound, 48_000, "mp3", "mp3"))
        case "m4a":
            path.write_bytes(through_ffmpeg(sound, 48_000, "mp4", "aac"))
        case "webm":
            path.write_bytes(through_ffmpeg(sound, 48_000, "webm", "libopus"))
    out = client.predict(handle_file(str(path)), api_name="/resynthesise")
    assert "48,000 Hz, mono" in " ".join(str(value) for value in out)
