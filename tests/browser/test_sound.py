"""The sound tab as a visitor meets it: what the player received, and what it lets through."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests import tiny
from tests.browser.test_object import PATIENCE_S, served, tiny_weights
from tests.media.sounds import through_ffmpeg

RATE_HZ = 22_050
PLAYER = "document.querySelector('#sound-player [data-part=player]')?.player"
SAMPLES = f"""() => Object.fromEntries(Object.entries({PLAYER}.samples).map(
    ([name, samples]) => [name, Array.from(samples)]))"""
STATE, GAINS = f"{PLAYER}?.state", f"{PLAYER}.gains"
ONLY = f"""(name) => Object.entries({PLAYER}.gains).every(
    ([key, gain]) => gain === (key === name ? 1 : 0))"""
PART = "#sound-player [data-part={}]"


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """Tiny models for both tabs: they answer fast, and say next to nothing."""
    from hyperdemo.checkpoints import save_checkpoint

    folder = tiny_weights(tmp_path_factory.mktemp("weights"))
    for seed, name in enumerate(("sound-foundation", "sound-scratch")):
        init = name.removeprefix("sound-")
        save_checkpoint(tiny.sound_model(seed, init=init), folder, name=name, facts={})
    return folder


@pytest.fixture(scope="module")
def url(weights, tmp_path_factory) -> Iterator[str]:
    """Address of `python app.py` with these models."""
    yield from served(weights, tmp_path_factory.mktemp("log"))


@pytest.fixture
def page(browser, url):
    """The sound tab, opened."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE_S * 1000)
    page.elsewhere = []
    page.on(
        "request",
        lambda request: (
            page.elsewhere.append(request.url)
            if request.url.startswith("http") and not request.url.startswith(url)
            else None
        ),
    )
    page.goto(url)
    page.get_by_role("tab", name="Sound").click()
    page.locator("#sound-clip input[type=file]").wait_for(state="attached")
    yield page
    page.close()


def sound(seconds: float) -> np.ndarray:
    time = np.arange(round(RATE_HZ * seconds)) / RATE_HZ
    return 0.6 * np.sin(2 * np.pi * (150 + 60 * time) * time) * np.sin(2 * time) ** 2


@pytest.fixture
def clip(tmp_path) -> Path:
    """Stereo, so that it is mixed, at a rate that is not the models'."""
    path = tmp_path / "clip.wav"
    soundfile.write(path, np.stack([sound(4.0), 0.5 * sound(4.0)], axis=1), RATE_HZ)
    return path


def give(page, path: Path) -> None:
    page.locator("#sound-clip input[type=file]").set_input_files(str(path))
    page.locator("#sound-clip").get_by_label("Clear").wait_for()


def take_away(page) -> None:
    page.locator("#sound-clip").get_by_label("Clear").click()
    page.locator("#sound-clip input[type=file]").wait_for(state="attached")


def run(page) -> None:
    page.locator("#sound-run").click()
    page.locator("#sound-words", has_text="The models hear it").wait_for()
    page.locator("#sound-status", has_text=re.compile("done in .* on CPU")).wait_for()
    page.wait_for_function(f"{STATE}.complete")


def expected(weights: Path, clip: Path) -> dict[str, np.ndarray]:
    """What the pipeline says of a file, and the file itself, in this process."""
    from hyperdemo.config import SoundRequest
    from hyperdemo.events import Heard
    from hyperdemo.media.audio import decode_audio
    from hyperdemo.pipeline import SoundPipeline
    from hyperdemo.preprocess.sound import prepare_sound

    pipeline = SoundPipeline.from_weights(weights, device="cpu")
    prepared = prepare_sound(decode_audio(clip))
    parts = [e.samples for e in pipeline.listen(prepared, SoundRequest()) if isinstance(e, Heard)]
    joined = {name: np.concatenate([part[name] for part in parts]) for name in pipeline.models}
    return {"original": prepared.own} | joined


@pytest.mark.timeout(600)
def test_the_player_receives_what_the_pipeline_says(page, clip, weights, artefacts):
    give(page, clip)
    assert not page.locator("#sound-results").is_visible()
    run(page)
    received = page.evaluate(SAMPLES)
    wanted = expected(weights, clip)
    assert list(received) == ["original", "foundation", "scratch"]
    for name, samples in wanted.items():
        got = np.array(received[name])
        assert got.shape == samples.shape
        # Half a step of 16 bits, and what two processes may differ by.
        assert np.abs(got - np.clip(samples, -1, 32767 / 32768)).max() <= 0.6 / 32768
        assert np.abs(samples).max() > 0.01
    assert page.evaluate(STATE)["rate"] == RATE_HZ
    page.locator("#sound-scores td").first.wait_for()
    page.locator("#sound-spectrograms .js-plotly-plot").wait_for()
    page.screenshot(path=artefacts / "sound-done.png", full_page=True)
    assert page.elsewhere == []


@pytest.mark.timeout(600)
def test_switching_tracks_goes_on_where_it_was(page, tmp_path):
    clip = tmp_path / "clip.wav"
    soundfile.write(clip, sound(20.0), RATE_HZ)  # it must not end on a busy machine
    give(page, clip)
    run(page)
    page.locator(PART.format("play")).click()
    page.wait_for_function(f"{STATE}.position > 0.3")
    assert page.evaluate(STATE)["contextRate"] == RATE_HZ  # nothing is interpolated
    page.wait_for_function(ONLY, arg="original")
    before = page.evaluate(STATE)
    page.get_by_label("From scratch").check()
    after = page.evaluate(STATE)
    assert after["audible"] == "scratch" and after["playing"]
    assert before["position"] <= after["position"] < 20
    page.wait_for_function(ONLY, arg="scratch")
    page.keyboard.press("2")  # by the keyboard, as by the mouse
    page.wait_for_function(ONLY, arg="foundation")

    page.locator(PART.format("play")).click()
    paused = page.evaluate(STATE)
    assert not paused["playing"] and paused["position"] >= after["position"]
    page.locator(PART.format("seek")).focus()
    page.keyboard.press("Home")
    assert page.evaluate(STATE)["position"] == 0
    page.keyboard.press("ArrowRight")
    assert page.evaluate(STATE)["position"] == pytest.approx(1, abs=0.01)
    page.locator(PART.format("seek")).fill(str(19.5 * RATE_HZ))
    page.keyboard.press("Space")
    page.wait_for_function(f"!{STATE}.wanted && {STATE}.position > 19.9")  # it stops at its end
    assert page.evaluate(STATE)["position"] == pytest.approx(20, abs=0.01)


@pytest.mark.timeout(600)
def test_playback_begins_before_the_end_and_stop_stops(page, tmp_path):
    long = tmp_path / "long.flac"
    soundfile.write(long, np.tile(sound(10.0), 7), RATE_HZ)
    give(page, long)
    page.locator("#sound-run").click()
    page.locator("#sound-words", has_text="first 60 s").wait_for()
    page.wait_for_function(f"{STATE}.arrived > 0.5 && {STATE}.total > 0")
    page.locator(PART.format("play")).click()
    page.wait_for_function(f"{STATE}.playing && {STATE}.position > 0.1")
    assert not page.evaluate(STATE)["complete"]
    page.locator("#sound-stop").click()
    page.locator("#sound-status", has_text="stopped").wait_for()
    page.wait_for_function(f"{STATE}.complete || {STATE}.arrived < 60")
    page.locator(PART.format("message"), has_text="stopped after").wait_for()
    assert page.locator("#sound-run").is_enabled()


@pytest.mark.timeout(600)
def test_bad_files_are_told_and_videos_are_taken(page, tmp_path):
    letter = tmp_path / "letter.wav"
    letter.write_text("This is a letter.")
    give(page, letter)
    page.locator("#sound-run").click()
    page.locator(".toast-body", has_text="got text").wait_for()
    page.locator("#sound-status", has_text="stopped").wait_for()
    assert page.locator("#sound-run").is_enabled()
    take_away(page)
    film = tmp_path / "clip.webm"  # a video to any browser, whatever it holds
    film.write_bytes(through_ffmpeg(sound(1.0), 48_000, "webm", "libopus"))
    give(page, film)
    run(page)
    assert page.evaluate(STATE)["rate"] == 48_000


@pytest.mark.timeout(600)
def test_the_tab_keeps_its_sound_while_another_is_open(page, clip):
    give(page, clip)
    page.locator("#sound-run").click()
    page.get_by_role("tab", name="Object").click()
    page.locator("#run").wait_for()
    assert not page.locator("#results").is_visible()
    page.wait_for_function(f"{STATE}.complete && {STATE}.arrived > 3.9")
    page.get_by_role("tab", name="Sound").click()
    page.locator("#sound-status", has_text="done in").wait_for()
    assert len(page.evaluate(SAMPLES)["scratch"]) == 4 * RATE_HZ
