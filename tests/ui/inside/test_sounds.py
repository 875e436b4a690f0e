"""What the page is given of a sound's networks, and the files that show them."""

import re
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import soundfile

from hyperdemo.config import SoundRequest
from hyperdemo.events import Written
from hyperdemo.inr.sound import angular_frequencies
from hyperdemo.media.audio import decode_audio
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.preprocess.sound import prepare_sound
from hyperdemo.ui.inside import inspector, sounds
from hyperdemo.ui.inside.packed import pack_sound
from hyperdemo.ui.inside.sounds import beginning, on_stage, opened, sound_networks
from tests import tiny
from tests.pipeline.conftest import CPU
from tests.ui.conftest import chirp, models
from tests.ui.inside.test_packed import read

LABELS = {"foundation": "Left", "scratch": "Right"}
ASSETS, SHARED = (Path(module.__file__).parent for module in (sounds, inspector))


@pytest.fixture(scope="module")
def pipeline():
    return SoundPipeline(models("sound", tiny.sound_model), device=CPU)


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "chirp.wav"
    soundfile.write(path, chirp(seconds=2.5), 22_050)
    return str(path)


def test_the_networks_of_the_first_seconds_come_back(pipeline, clip, tmp_path):
    kept = {}

    def cached(path):
        kept[path.name] = path.read_bytes() if path.suffix == ".inside" else b""
        return f"/cache/{path.name}"

    value = opened(pipeline, LABELS, clip, cached=cached)
    assert [(m["label"], m["file"]["path"]) for m in value["models"]] == [
        ("Left", "/cache/foundation.inside"), ("Right", "/cache/scratch.inside"),
    ]  # fmt: skip
    assert set(value["runtime"]) == {"core", "webgl", "wasm", "simd"}
    assert value["sound"] == clip == on_stage(clip)["sound"]
    again = opened(pipeline, LABELS, clip, cached=cached)
    assert again.pop("answer") != value["answer"]  # or the page would not see it
    assert again.items() < value.items()
    begun = beginning(prepare_sound(decode_audio(clip)))
    assert len(begun.heard) == 32_000 and len(begun.own) == 44_100
    for event in pipeline.listen(begun, SoundRequest()):
        if not isinstance(event, Written):
            continue
        header, arrays = read(kept[f"{event.name}.inside"])
        inrs, config = event.sound.inrs, event.sound.config
        np.testing.assert_array_equal(arrays["gains"], inrs.gains)
        for layer, masks in enumerate(inrs.masks):
            np.testing.assert_array_equal(arrays[f"mask{layer}"], masks)
            np.testing.assert_array_equal(arrays[f"base{layer}"], inrs.base[layer].detach())
            np.testing.assert_array_equal(arrays[f"bias{layer}"], inrs.biases[layer].detach())
        np.testing.assert_allclose(header["freqs"], angular_frequencies(config), rtol=1e-6)
        assert (header["stretch"], header["overlap"]) == (config.stretch, config.overlap)
        assert (header["rate"], header["samples"]) == (16_000, 32_000)


def test_without_a_sound_it_says_what_to_do(pipeline):
    with pytest.raises(ValueError, match="Choose a sound first"):
        opened(pipeline, LABELS, None, cached=str)


def test_each_sound_and_each_refusal_is_told(pipeline):
    with gr.Blocks(analytics_enabled=False) as demo:
        given = gr.Audio(type="filepath")
        shown = sound_networks(pipeline, LABELS, given)
    functions = list(demo.fns.values())
    (asked,) = (fn for fn in functions if (shown._id, "submit") in fn.targets)
    (changed,) = (fn for fn in functions if (given._id, "change") in fn.targets)
    (refused,) = (fn for fn in functions if fn.trigger_only_on_failure)
    assert asked.trigger_mode == "multiple"  # the script itself asks one at a time
    assert asked.inputs == changed.inputs == [given]
    assert changed.outputs == refused.outputs == [shown] and refused.trigger_after == asked._id
    assert on_stage(None) == {"sound": ""}


def test_other_networks_are_refused(pipeline, clip):
    (event,) = (
        e
        for e in pipeline.listen(
            beginning(prepare_sound(decode_audio(clip))), SoundRequest(), names=["scratch"]
        )
        if isinstance(e, Written)
    )
    inrs = event.sound.inrs
    bare = tuple(mask[:, :, :0] for mask in inrs.masks)
    odd = type(event.sound)(event.sound.config, type(inrs)(**{**vars(inrs), "masks": bare}), 1, 1)
    with pytest.raises(ValueError, match="written as masks with shared biases"):
        pack_sound(odd)


def test_templates_and_scripts_fit_together():
    html, css = ((ASSETS / f"sounds.{kind}").read_text() for kind in ("html", "css"))
    js = "".join(path.read_text() for path in ASSETS.glob("*.js"))
    for template in (html, css):  # that Gradio would fill in
        assert not re.search(r"\$\{|\{\{|`|\\", template)
    assert set(re.findall(r"\bpart\.(\w+)", js)) == set(re.findall(r'data-part="(\w+)"', html))
    for path in (*ASSETS.glob("*.js"), *SHARED.glob("*.js")):
        assert len(path.read_text().splitlines()) <= 310
