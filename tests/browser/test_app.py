"""The app as a visitor meets it: started from the command line, seen through a browser.

Both tabs are tested in one file, so that the app starts once.
"""

import base64
import re
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from gradio_client import Client, handle_file

from tests.browser.viewing import new_page, photo_of_a_box, requests_elsewhere
from tests.media.sounds import through_ffmpeg

pytestmark = pytest.mark.timeout(900)

PLAYS = """() => [...document.querySelectorAll("#stream video")].some(
    v => v.currentTime > 0.1 && v.videoWidth > 256)"""
VIEW = "document.querySelector('#object-viewer [data-part=viewer]')?.viewer?.state"
CANVAS = "#object-viewer canvas"
RATE_HZ = 22_050
PLAYER = "document.querySelector('#sound-player [data-part=player]')?.player"
SAMPLES = f"""() => Object.entries({PLAYER}.samples).map(([name, samples]) => {{
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    let text = "";
    for (let k = 0; k < bytes.length; k += 4096)
        text += String.fromCharCode(...bytes.subarray(k, k + 4096));
    return [name, btoa(text)];
}})"""
"""Script: each track as the bytes of its samples; as numbers they take seconds to arrive."""
STATE = f"{PLAYER}?.state"
ONLY = f"""(name) => Object.entries({PLAYER}.gains).every(
    ([key, gain]) => gain === (key === name ? 1 : 0))"""
PART = "#sound-player [data-part={}]"


@pytest.fixture
def unopened(context, url):
    """A page before it is opened; `elsewhere` lists what it requests of other servers."""
    with new_page(context, (1280, 900), still=True) as page:
        page.elsewhere = requests_elsewhere(page, url)
        yield page


@pytest.fixture
def page(unopened, url):
    """The page, opened, on which nothing moves: that would take the processor from the app."""
    unopened.goto(url)
    return unopened


def ask_for(page, *, size, seconds):
    page.get_by_text("Settings").first.click()
    page.get_by_label("Panel size").click()
    page.get_by_role("option", name=str(size)).click()
    page.get_by_label("number input for Seconds per turn").fill(str(seconds))


def test_a_photo_becomes_two_turning_objects(unopened, url, tmp_path, artefacts):
    photo, page = photo_of_a_box(tmp_path), unopened
    page.emulate_media(reduced_motion="no-preference")
    page.goto(url)
    page.wait_for_function(f"{VIEW}?.ready")  # before any click: an example, made before
    page.locator("#status", has_text="made before").wait_for()
    page.screenshot(path=artefacts / "app-opened.png")
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#hint").wait_for()
    assert not page.locator("#results").is_visible() and not page.locator(CANVAS).is_visible()
    upload = page.locator("#picture input[type=file]")
    upload.wait_for(state="attached")
    upload.set_input_files(str(photo))
    page.locator("#words", has_text="plain background").wait_for()
    page.locator("#framed img").wait_for()

    ask_for(page, size=256, seconds=10)  # long enough to be seen on a fast machine
    page.locator("#run").click()
    page.locator("#stop").wait_for()
    page.wait_for_function(PLAYS)  # the stream, while it is rendered
    page.screenshot(path=artefacts / "app-streaming.png")
    page.locator("#status", has_text=re.compile("done in")).wait_for()
    page.wait_for_function(f"{VIEW}?.ready && {VIEW}.nFrames > 0")
    page.locator("#results").wait_for()
    page.locator("#run").wait_for()
    assert not page.locator("#stop").is_visible()
    page.screenshot(path=artefacts / "app-done.png", full_page=True)
    page.wait_for_function(f"{VIEW}.spinning && {VIEW}.nFrames > 1")
    page.get_by_role("button", name="Turn by itself").click()  # what follows goes faster
    assert page.elsewhere == []
    page.get_by_role("tab", name="Outline").click()
    page.get_by_role("button", name="The whole picture").click()
    page.locator("#status", has_text="belongs to the outline before").wait_for()
    page.get_by_role("tab", name="Picture").click()

    letter = tmp_path / "letter.png"
    letter.write_text("This is a letter.")
    page.locator("#picture button[aria-label='Remove Image']").click()
    upload.set_input_files(str(letter))
    page.locator(".toast-body", has_text="not one this program knows").wait_for()
    page.locator("#picture button[aria-label='Remove Image']").click()
    upload.set_input_files(str(photo))
    page.locator("#words", has_text="plain background").wait_for()  # the app is still there


def test_who_waits_reads_their_place_and_may_stop(page, url, tmp_path):
    photo = photo_of_a_box(tmp_path)
    page.wait_for_function(f"{VIEW}?.ready")
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#picture input[type=file]").set_input_files(str(photo))
    page.locator("#words", has_text="plain background").wait_for()
    others = [Client(url, verbose=False) for _ in range(4)]
    costly = {"size": 512, "seconds": 10, "api_name": "/photo_to_object"}
    jobs = [other.submit(handle_file(photo), **costly) for other in others]
    try:
        while not httpx.get(f"{url}/health").json()["waiting"]:
            page.wait_for_timeout(50)
        page.locator("#run").click()
        place = re.compile(r"(\d before you|you are next)")
        page.locator("#status", has_text=place).wait_for()
        page.locator("#stop").click()
        page.locator("#status", has_text="stopped").wait_for()
        page.locator("#run").wait_for()
    finally:
        for job in jobs:
            job.cancel()


def test_a_stop_and_a_new_start_at_any_moment_and_thirty_examples(unopened, url):
    page, warnings = unopened, []
    page.set_viewport_size({"width": 390, "height": 844})
    page.on("console", lambda said: warnings.append(said.text) if "context" in said.text else None)
    page.goto(f"{url}/?example=blend-swap-cc-0-chair")
    status, run, stop = map(page.locator, ("#status", "#run", "#stop"))
    status.filter(has_text="done in").wait_for()  # it runs by itself
    for example in range(30):  # the first of each runs by itself too; the others are kept
        page.locator(".examples button.gallery-item").nth(example % 3).click()
        page.locator("#caption", has_text=["Barrel", "Chair", "Stool"][example % 3]).wait_for()
        page.wait_for_function(f"{VIEW}.ready && !{VIEW}.lost")
    ask_for(page, size=512, seconds=10)  # none ends before its Stop
    for tenths in range(10):
        run.click()
        page.wait_for_timeout(100 * tenths)
        stop.click()
        run.click()  # as soon as it is there
        status.filter(has_text=re.compile("reading|writing|evaluating|frame")).wait_for()
        stop.click()
        run.wait_for()
        assert status.inner_text() == "stopped"
    assert warnings == []


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
    """Open the sound tab, and choose a file."""
    page.get_by_role("tab", name="Sound", exact=True).first.click()
    page.locator("#sound-clip input[type=file]").set_input_files(str(path))
    page.locator("#sound-clip").get_by_label("Clear").wait_for()


def run(page) -> None:
    page.locator("#sound-run").click()
    done(page)


def done(page) -> None:
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


def test_the_player_receives_what_the_pipeline_says(page, clip, weights, artefacts):
    give(page, clip)
    assert not page.locator("#sound-results").is_visible()
    page.locator("#sound-run").click()
    page.get_by_role("tab", name="Object").click()  # its sound arrives while another tab is open
    page.locator("#run").wait_for()
    assert not page.locator("#sound-results").is_visible()
    page.wait_for_function(f"{STATE}.complete && {STATE}.arrived > 3.9")
    page.get_by_role("tab", name="Sound").click()
    done(page)
    received = {
        name: np.frombuffer(base64.b64decode(samples), np.float32)
        for name, samples in page.evaluate(SAMPLES)
    }
    wanted = expected(weights, clip)
    assert list(received) == ["original", "foundation", "scratch"]
    for name, samples in wanted.items():
        got = received[name]
        assert got.shape == samples.shape
        # Half a step of 16 bits, and what two processes may differ by.
        assert np.abs(got - np.clip(samples, -1, 32767 / 32768)).max() <= 0.6 / 32768
        assert np.abs(samples).max() > 0.01
    assert page.evaluate(STATE)["rate"] == RATE_HZ
    page.locator("#sound-scores td").first.wait_for()
    page.locator("#sound-spectrograms .js-plotly-plot").wait_for()
    page.screenshot(path=artefacts / "sound-done.png", full_page=True)
    assert page.elsewhere == []


def test_a_click_on_an_example_is_enough_and_another_sound_leaves_nothing_of_it(page, clip):
    page.get_by_role("tab", name="Sound", exact=True).first.click()
    status, examples = page.locator("#sound-status"), page.locator("#sounds button.gallery-item")
    for k in (0, 1):
        examples.nth(k).click()
        status.filter(has_text="done in").wait_for()  # it runs by itself
        page.locator("#sound-results").wait_for()
        page.wait_for_function(f"{STATE}.complete && {STATE}.total > 0")
        made = page.evaluate(STATE)
        page.locator("#sound-clip").get_by_label("Clear").click()
        page.wait_for_function(f"{STATE}.total === 0")
        assert not page.locator("#sound-results").is_visible() and status.inner_text() == ""
    examples.nth(1).click()
    status.filter(has_text="made before").wait_for()
    page.wait_for_function(f"{STATE}.total === {made['total']} && {STATE}.complete")


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
    page.get_by_role("radio", name="From scratch").check()
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


def test_playback_begins_before_the_end_and_stop_stops(page, tmp_path):
    long = tmp_path / "long.flac"
    soundfile.write(long, np.tile(sound(10.0), 7), RATE_HZ)
    give(page, long)
    status = page.locator("#sound-status", has_text=re.compile("stopped|done in"))
    for _ in range(5):  # on a busy machine a run may end on the server before it is stopped
        page.locator("#sound-run").click()
        page.locator("#sound-words", has_text="first 60 s").wait_for()
        page.wait_for_function(
            f"""(play) => {{
                const {{ run, arrived, total, wanted, playing, position, complete }} = {STATE};
                if (complete) return (window.ended ?? null) !== (window.ended = run); // too late
                if (arrived > 0.5 && total > 0 && !wanted) document.querySelector(play).click();
                if (!(arrived > 0.5 && playing && position > 0.1)) return false;
                document.querySelector("#sound-stop").click();
                return true;
            }}""",
            arg=PART.format("play"),
        )
        status.wait_for()
        if "stopped" in status.inner_text():
            break
    assert "stopped" in status.inner_text()
    page.locator(PART.format("message"), has_text="stopped after").wait_for()
    assert page.locator("#sound-run").is_enabled()


def test_bad_files_are_refused_in_words_and_videos_are_taken(page, tmp_path):
    letter = tmp_path / "letter.wav"
    letter.write_text("This is a letter.")
    give(page, letter)
    page.locator("#sound-run").click()
    page.locator(".toast-body", has_text="got text").wait_for()
    page.locator("#sound-status", has_text="did not work").wait_for()
    assert page.locator("#sound-run").is_enabled()
    page.locator("#sound-clip").get_by_label("Clear").click()
    page.locator("#sound-clip input[type=file]").wait_for(state="attached")
    film = tmp_path / "clip.webm"  # a video to any browser, whatever it holds
    film.write_bytes(through_ffmpeg(sound(1.0), 48_000, "webm", "libopus"))
    give(page, film)
    run(page)
    assert page.evaluate(STATE)["rate"] == 48_000
