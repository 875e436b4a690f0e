"""The networks of a sound in a browser: what it runs and edits, against this side's."""

import base64

import gradio as gr
import numpy as np
import pytest
import soundfile
import torch

from hyperdemo.inr import synthesise
from hyperdemo.media.audio import decode_audio
from hyperdemo.preprocess.sound import prepare_sound
from tests.browser.viewing import PHONE, check_access, new_page
from tests.ui.conftest import chirp, models

LABELS = {"foundation": "Left", "scratch": "Right"}
FIND = "document.querySelector('#sound-networks [data-part=sounds]')?.networks"
DONE = f"{FIND}?.state.ready && !{FIND}.state.working"


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "chirp.wav"
    soundfile.write(path, chirp(rate_hz=16_000, seconds=0.4), 16_000)
    return path


@pytest.fixture(scope="module")
def written(clip):
    """What both tiny models write for the clip."""
    from hyperdemo.config import SoundRequest
    from hyperdemo.events import Written
    from hyperdemo.pipeline import SoundPipeline
    from tests import tiny
    from tests.pipeline.conftest import CPU

    pipeline = SoundPipeline(models("sound", tiny.sound_model), device=CPU)
    events = pipeline.listen(prepare_sound(decode_audio(str(clip))), SoundRequest())
    return pipeline, {e.name: e.sound for e in events if isinstance(e, Written)}


@pytest.fixture(scope="module")
def page(context, written, clip):
    """The opened networks alone, once they have run."""
    from hyperdemo.ui.inside.sounds import sound_networks

    with gr.Blocks(analytics_enabled=False) as demo:
        given = gr.Audio(str(clip), type="filepath")
        sound_networks(written[0], LABELS, given)
    url = demo.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False)[1]
    with new_page(context, PHONE) as page:
        page.goto(url)
        page.locator("#sound-networks summary").click()
        page.wait_for_function(DONE)
        yield page
    demo.close()


@pytest.fixture(autouse=True)
def as_written(page):
    yield
    page.locator("[data-part=model]").select_option(index=0)
    act(page, lambda: page.locator("[data-part=reset]").click())


def act(page, action):
    before = page.evaluate(f"{FIND}.state.version")
    action()
    page.wait_for_function(f"{FIND}.state.version > {before} && {DONE}")


def slide(page, name, value):
    script = """([name, value]) => {
        const node = document.querySelector(`#sound-networks [data-part=${name}]`);
        node.value = value;
        node.dispatchEvent(new Event("change"));
    }"""
    act(page, lambda: page.evaluate(script, [name, value]))


def samples(page, name="edited"):
    script = f"""() => btoa(String.fromCharCode(
        ...new Uint8Array({FIND}.samples.{name}.slice().buffer)))"""
    return np.frombuffer(base64.b64decode(page.evaluate(script)), np.float32)


def ours(sound, change=lambda inrs: inrs):
    return synthesise(
        type(sound)(sound.config, change(sound.inrs), sound.n_samples, sound.rate_hz),
        rate_hz=16_000,
    ).numpy()


def assert_same(found, expected):
    assert len(found) == len(expected)
    assert np.linalg.norm(found - expected) < 1e-3 * np.linalg.norm(expected)  # 60 dB


def test_the_page_plays_what_the_networks_are(page, written):
    for index, name in enumerate(LABELS):
        act(page, lambda index=index: page.locator("[data-part=model]").select_option(index=index))
        assert_same(samples(page), ours(written[1][name]))
    assert "as it was written" in page.locator("[data-part=done]").inner_text()


def test_edits_are_what_they_say(page, written):
    from dataclasses import replace

    sound, other = (written[1][name] for name in LABELS)
    slide(page, "order", "backwards")
    back = torch.arange(len(sound.inrs) - 1, -1, -1)
    assert_same(samples(page), ours(sound, lambda inrs: inrs[back]))
    slide(page, "order", "held")
    held = torch.full((len(sound.inrs),), len(sound.inrs) // 2)
    assert_same(samples(page), ours(sound, lambda inrs: inrs[held]))
    slide(page, "order", "forwards")

    def muted(inrs, first=5):
        params = inrs.params()  # composed before the rows go, so that columns keep their sizes
        rows = (torch.arange(params.weights[0].shape[1]) - 1) % sound.config.n_freqs >= first
        rows[0] = False
        params.weights[0][:, rows] = 0
        return params

    slide(page, "cut", 5)
    from hyperdemo.inr.sound import sound_of_stretches

    expected = sound_of_stretches(sound.config, muted(sound.inrs), n_stretches=len(sound.inrs))
    found = samples(page)
    assert_same(found, expected[0, : len(found)].numpy())
    act(page, lambda: page.locator("[data-part=reset]").click())
    page.locator("[data-part=layer]").select_option(value="0")
    act(page, lambda: page.locator("[data-part=swap]").click())

    def exchanged(inrs):
        return replace(
            inrs, base=(other.inrs.base[0], *inrs.base[1:]),
            masks=(other.inrs.masks[0], *inrs.masks[1:]),
            biases=(other.inrs.biases[0], *inrs.biases[1:]),
        )  # fmt: skip

    assert_same(samples(page), ours(sound, exchanged))
    act(page, lambda: page.locator("[data-part=zero]").click())
    assert page.evaluate(f"{FIND}.state.layers") == 2
    act(page, lambda: page.locator("[data-part=undo]").click())
    assert_same(samples(page), ours(sound, exchanged))


def test_at_half_speed_every_other_network_is_one_that_was_written(page, written):
    sound = written[1]["foundation"]
    plain = len(samples(page))
    slide(page, "order", "slow")
    slow = samples(page)
    assert len(slow) > 1.8 * plain
    hop, overlap = sound.config.stretch - sound.config.overlap, sound.config.overlap
    first = ours(sound, lambda inrs: inrs[torch.tensor([0] * len(inrs))])
    np.testing.assert_allclose(slow[:hop], first[:hop], atol=1e-5)
    third = ours(sound, lambda inrs: inrs[torch.tensor([1] * len(inrs))])
    alone = slice(2 * hop + overlap, 3 * hop)
    np.testing.assert_allclose(slow[alone], third[hop + overlap : 2 * hop], atol=1e-5)


def test_it_can_be_used_by_all(page):
    check_access(page, "#sound-networks")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
