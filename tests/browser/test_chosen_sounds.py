"""Networks of a sound that is chosen after they were opened, or while another one's are written."""

import threading

import gradio as gr
import numpy as np
import pytest
import soundfile

from tests.browser.viewing import new_page
from tests.conftest import PATIENCE_S
from tests.ui.conftest import chirp, models

RATE_HZ = 16_000
SECONDS = {"short": 0.4, "long": 0.8}
LABELS = {"foundation": "Left", "scratch": "Right"}
FIND = "document.querySelector('#sound-networks [data-part=sounds]')?.networks"
DONE = f"{FIND}?.state.ready && !{FIND}.state.working"
MESSAGE = "document.querySelector('#sound-networks [data-part=message]').textContent"


class Held:
    """A pipeline that writes nothing while it is held, and may refuse what it is asked for then."""

    def __init__(self, pipeline):
        self.pipeline, self.n_asked, self.refuses = pipeline, 0, False
        self.released, self.asked = threading.Event(), threading.Event()
        self.released.set()

    def listen(self, *args, **options):
        self.n_asked += 1
        refuses, self.refuses = self.refuses, False
        self.asked.set()
        assert self.released.wait(PATIENCE_S)
        if refuses:
            raise ValueError("expected another clip, got this one")
        return self.pipeline.listen(*args, **options)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for name, seconds in SECONDS.items():
        wave = chirp(rate_hz=RATE_HZ, seconds=seconds)
        soundfile.write(folder / f"{name}.wav", wave, RATE_HZ)
    soundfile.write(folder / "silence.wav", np.zeros(RATE_HZ // 2), RATE_HZ)
    return folder


@pytest.fixture
def pipeline():
    from hyperdemo.pipeline import SoundPipeline
    from tests import tiny
    from tests.pipeline.conftest import CPU

    return Held(SoundPipeline(models("sound", tiny.sound_model), device=CPU))


@pytest.fixture
def page(context, pipeline, clips):
    """The section alone, with a button for each clip."""
    from hyperdemo.ui.adapted import sound_file
    from hyperdemo.ui.inside.sounds import sound_networks

    with gr.Blocks(analytics_enabled=False) as demo:
        given = sound_file(sources=["upload"], label="Sound")
        for path in sorted(clips.glob("*.wav")):
            gr.Button(path.stem).click(lambda path=path: str(path), None, given)
        sound_networks(pipeline, LABELS, given)
    options = {"prevent_thread_lock": True, "quiet": True, "ssr_mode": False}
    url = demo.launch(**options, allowed_paths=[str(clips)])[1]
    with new_page(context, (900, 700)) as page:
        page.goto(url)
        yield page
    pipeline.released.set()
    demo.close()


def choose(page, name):
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_function(f"{FIND}?.state.sound?.endsWith('{name}.wav')")


def press_open(page):
    page.locator("#sound-networks summary").click()


def assert_opened(page, name):
    page.wait_for_function(DONE)
    page.wait_for_function(f"{MESSAGE} === ''")
    assert page.evaluate(f"{FIND}.samples.written.length") == round(SECONDS[name] * RATE_HZ)
    assert page.locator("#sound-networks canvas").is_visible()


def test_a_refused_sound_holds_up_no_other(page, pipeline):
    press_open(page)
    page.locator(".toast-body", has_text="Choose a sound first").wait_for()
    page.wait_for_function(f"{MESSAGE} === ''")
    choose(page, "silence")
    page.locator(".toast-body", has_text="got silence").wait_for()
    page.wait_for_function(f"{MESSAGE} === ''")
    choose(page, "short")
    assert_opened(page, "short")
    choose(page, "silence")
    page.locator("#sound-networks canvas").wait_for(state="hidden")
    page.wait_for_function(f"{MESSAGE} === ''")
    press_open(page)  # close it
    choose(page, "long")
    press_open(page)
    assert_opened(page, "long")
    assert pipeline.n_asked == 2  # of silence nothing is written


@pytest.mark.parametrize("refuses", [False, True])
def test_the_sound_that_was_chosen_last_is_opened(page, pipeline, refuses):
    choose(page, "short")
    pipeline.refuses = refuses
    pipeline.released.clear()
    press_open(page)
    assert pipeline.asked.wait(PATIENCE_S)
    page.wait_for_function(f"{MESSAGE}.startsWith('Writing the networks')")
    choose(page, "long")
    assert page.evaluate(f"{MESSAGE}.startsWith('Writing the networks')")
    pipeline.released.set()
    assert_opened(page, "long")
    assert pipeline.n_asked == 2
    choose(page, "short")  # and back to the one before
    assert_opened(page, "short")


def test_who_opens_them_again_after_a_failure_gets_them(page):
    page.route("**/tf-core.js", lambda route: route.abort())
    choose(page, "short")
    press_open(page)
    page.wait_for_function(f"{MESSAGE}.startsWith('The networks cannot be run here')")
    page.unroute("**/tf-core.js")
    press_open(page)  # close it
    press_open(page)
    assert_opened(page, "short")
