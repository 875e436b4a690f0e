"""The networks of a sound, opened: a visitor changes their weights, in the browser, and listens.

A `gr.HTML` that asks for the networks of the sound on the stage when it is opened, and again when
another sound comes. `voice.js` runs and edits them, by the inspector's `network.js` and `field.js`;
`sounds.js` is what the visitor does, and tells the values that it is given.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr

from hyperdemo.config import SAMPLE_RATE_HZ, SoundRequest
from hyperdemo.events import Written
from hyperdemo.media.audio import decode_audio
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.preprocess.sound import PreparedSound, prepare_sound
from hyperdemo.ui.errors import in_plain_words
from hyperdemo.ui.inside import inspector
from hyperdemo.ui.inside.packed import pack_sound
from hyperdemo.ui.style import SHARED_JS

SECONDS = 2.0
"""Of a sound that are opened: a browser runs their networks within a second."""

REFUSED = "() => ({refused: Date.now()})"
"""Script: the value after an answer that failed, also where it never came to the server."""

_ASSETS = Path(__file__).parent


def sound_networks(pipeline: SoundPipeline, labels: Mapping[str, str], clip: gr.Audio) -> gr.HTML:
    """The opened networks of what is in `clip`, empty until a visitor asks for them.

    Args:
        pipeline: the loaded models.
        labels: key and shown name of each model.
        clip: the sound on the stage.
    """
    scripts = [
        SHARED_JS, inspector.asset("network.js"), inspector.asset("field.js"), asset("voice.js"),
        asset("sounds.js"),
    ]  # fmt: skip
    shown = gr.HTML(
        {}, html_template=asset("sounds.html"), css_template=asset("sounds.css"),
        js_on_load="\n".join(scripts), apply_default_css=False, elem_id="sound-networks",
    )  # fmt: skip

    @in_plain_words
    def open_networks(path: str | None) -> dict[str, Any]:
        cached = shown.move_resource_to_block_cache
        return opened(pipeline, labels, path, cached=cached)

    # The script waits for one answer before it asks for another, and asks as it is handed that one.
    # Gradio's "once" would skip this, and its "always_last" would forget it where the one failed.
    asked = shown.submit(
        open_networks, clip, shown, api_visibility="private", show_progress="hidden",
        concurrency_id="inside", concurrency_limit=1, trigger_mode="multiple",
    )  # fmt: skip
    asked.failure(None, None, shown, js=REFUSED, api_visibility="private", queue=False)
    clip.change(
        on_stage, clip, shown, api_visibility="private", show_progress="hidden", queue=False
    )
    return shown


def on_stage(path: str | None) -> dict[str, Any]:
    """What the page is told of another sound: which one it is, by its file; "" for none."""
    return {"sound": path or ""}


def opened(
    pipeline: SoundPipeline,
    labels: Mapping[str, str],
    path: str | None,
    *,
    cached: Callable[[Path], str],
) -> dict[str, Any]:
    """What the page is given of a sound's networks, in an answer that equals no other.

    Gradio hands on only a value that differs from the one before, and a browser that could not load
    these files asks for them again.

    Args:
        path: the sound's file, of which the first seconds are taken.
        cached: where in Gradio's cache a file lies, which is then served from there.

    Raises:
        ValueError: no sound, or one that cannot be used.
    """
    if path is None:
        raise ValueError("Choose a sound first; then its networks can be opened.")
    begun = beginning(prepare_sound(decode_audio(path)))
    files = {}
    with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
        for event in pipeline.listen(begun, SoundRequest()):
            if isinstance(event, Written):
                files[event.name] = Path(folder) / f"{event.name}.inside"
                files[event.name].write_bytes(pack_sound(event.sound))
        value = inspector.inspector_value(files, labels, other="", cached=cached)
    return value | on_stage(path) | {"answer": uuid4().hex}


def beginning(prepared: PreparedSound, *, seconds: float = SECONDS) -> PreparedSound:
    """The first seconds of a clip."""
    own, heard = (
        samples[: round(seconds * rate_hz)]
        for samples, rate_hz in (
            (prepared.own, prepared.rate_hz), (prepared.heard, SAMPLE_RATE_HZ),
        )
    )  # fmt: skip
    return replace(prepared, own=own, heard=heard)


def asset(name: str) -> str:
    """One of the files that this consists of."""
    return (_ASSETS / name).read_text(encoding="utf-8")
