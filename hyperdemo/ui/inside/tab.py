"""The tab that looks inside: the picture on the stage, the networks written for it, edits."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import torch
from jaxtyping import UInt8

from hyperdemo.examples import HeldOut, digest_of
from hyperdemo.inside import look_inside
from hyperdemo.media import decode_image
from hyperdemo.model import to_pixels
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.ui.errors import in_plain_words
from hyperdemo.ui.inside.inspector import inspector, inspector_value
from hyperdemo.ui.inside.packed import pack_inside
from hyperdemo.ui.object.callbacks import OPENING, Callbacks
from hyperdemo.ui.object.texts import LABELS

INTRODUCTION = (
    "A **hypernetwork** is a network that writes another one's weights. Here it is opened: follow "
    "the picture of the *Object* tab through both models, from patches to attention, masks and "
    "weights, then change the weights that came out and see what they hold."
)
MORPH_TO = ("blend-swap-cc-0-chair", OPENING)
"""Examples that a picture can be morphed to: the first that is another one."""


def inside_tab(tab: gr.Tab, pipeline: ViewPipeline, callbacks: Callbacks) -> None:
    """Fill the tab that is open with components, and wire them.

    Args:
        tab: the tab itself; what is on the stage is looked into as it opens.
        pipeline: the loaded models.
        callbacks: of the object tab, whose picture it is.
    """
    gr.Markdown(INTRODUCTION, elem_classes="introduction")
    shown = inspector()
    page = callbacks.page

    @in_plain_words
    def show(
        picture: str | None, editor: Mapping[str, Any] | None, ticket: str | None
    ) -> dict[str, Any]:
        cached = shown.move_resource_to_block_cache
        return look(pipeline, callbacks, picture, editor, ticket, cached=cached)

    tab.select(
        show, [page.picture, page.editor, page.cut], shown, api_visibility="private",
        trigger_mode="always_last", show_progress="minimal", concurrency_id="inside",
        concurrency_limit=1,
    )  # fmt: skip


def look(
    pipeline: ViewPipeline,
    callbacks: Callbacks,
    picture: str | None,
    editor: Mapping[str, Any] | None,
    ticket: str | None,
    *,
    cached: Callable[[Path], str],
) -> dict[str, Any]:
    """What the inspector shows of a picture, or else of the one that the page opens with.

    Args:
        picture, editor, ticket: as in `Callbacks.generate`.
        cached: as for `inspector_value`.

    Raises:
        ValueError: no picture, or one that cannot be used.
    """
    path = picture or callbacks.examples.get(OPENING)
    if path is None:
        raise ValueError("Choose a picture on the Object tab first.")
    framed = callbacks.prepared(str(path), editor, ticket).framed
    other = _other(callbacks, digest_of(path))
    with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
        files = _files(pipeline, framed, other, Path(folder))
        name = other.name.lower() if other else ""
        return inspector_value(files, LABELS, other=name, cached=cached)


def _other(callbacks: Callbacks, digest: str) -> HeldOut | None:
    paths = [callbacks.examples.get(name) for name in MORPH_TO]
    known = [one for path in paths for one in callbacks.held_out if one.picture == path]
    return next((one for one in known if one.digest != digest), None)


def _files(
    pipeline: ViewPipeline,
    framed: UInt8[np.ndarray, "s s 3"],
    other: HeldOut | None,
    folder: Path,
) -> dict[str, Path]:
    """A file per model."""

    def pixels(picture: np.ndarray) -> torch.Tensor:
        return to_pixels(torch.from_numpy(picture)[None], device=pipeline.device)

    goal = None
    if other is not None:
        goal = pixels(pipeline.prepare(decode_image(str(other.picture))).framed)
    files = {}
    for key, loaded in pipeline.models.items():
        model = loaded.model
        with torch.no_grad():
            target = None if goal is None else model.write(goal)
        inside = look_inside(model, pixels(framed))
        files[key] = folder / f"{key}.inside"
        files[key].write_bytes(pack_inside(model.config, framed, inside, other=target))
    return files
