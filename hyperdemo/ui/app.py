"""The page's layout and its wiring."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.applications import Starlette
from starlette.middleware import Middleware

from hyperdemo.media.image import MAX_FILE_BYTES
from hyperdemo.pipeline import SoundPipeline, ViewPipeline
from hyperdemo.pipeline.pair import ModelPair
from hyperdemo.results.learning import Recorded, find_recorded
from hyperdemo.results.measured import TaskEvidence, read_measured
from hyperdemo.ui.adapted import light_sessions
from hyperdemo.ui.api import offer_api
from hyperdemo.ui.evidence.tab import evidence_tab, find_contact_sheets
from hyperdemo.ui.guard import Guard
from hyperdemo.ui.inside.tab import inside_tab
from hyperdemo.ui.language import Translated, language_route
from hyperdemo.ui.object import texts
from hyperdemo.ui.object.tab import object_tab
from hyperdemo.ui.race.tab import find_race, race_tab
from hyperdemo.ui.sound.tab import find_sounds, sound_tab
from hyperdemo.ui.style import CSS, theme
from hyperdemo.ui.texts import headline
from hyperdemo.ui.tour import tour
from hyperdemo.ui.tour.code import code_route
from hyperdemo.ui.turns import take_fair_turns
from hyperdemo.ui.watched import health_route

_log = logging.getLogger(__name__)

DESCRIPTION = (
    "One photo or one sound goes in; a pretrained Transformer writes the weights of a small "
    "network that is what it saw or heard. See it turn, open it, break it."
)
HEAD = f'<meta name="description" content="{DESCRIPTION}">'
TABS = {
    "object": "Object", "inside": "Look inside", "race": "Race", "sound": "Sound",
    "evidence": "Evidence",
}  # fmt: skip
CACHE_SWEEP_S, CACHE_AGE_S = 1800, 4 * 3600
MAX_WAITING = 100
MAX_SESSIONS = 200
"""Whose state is kept, those last heard of: Gradio holds the configuration of the whole page for
each, half a megabyte, and by itself of ten thousand."""


def build_app(
    pipeline: ViewPipeline,
    *,
    sound: SoundPipeline | None = None,
    examples: str | Path = "examples",
    weights: str | Path = "weights",
    warm: bool = False,
) -> gr.Blocks:
    """The whole app, ready to launch with `launch_options(…)`.

    Args:
        pipeline: the loaded models for pictures.
        sound: those for sound; without them there is no tab for it.
        examples: folder of example photographs, of objects with a truth in `objects/`, and of
            sounds in `sounds/`.
        weights: folder that may hold `evidence/measured.json`, which the page quotes and draws,
            and `race/`, without which there are no tabs for them, and `learning/`.
        warm: answer a first request of each task now, and keep that of the picture which the page
            opens with.
    """
    # Events that run models share one queue.
    limit = pipeline.n_at_once
    compute = {"concurrency_id": "compute", "concurrency_limit": limit}
    evidence, race = _measured(weights), find_race(weights)
    with gr.Blocks(
        title="hyperdemo: what is a hypernetwork?",
        analytics_enabled=False,
        delete_cache=(CACHE_SWEEP_S, CACHE_AGE_S),
    ) as demo:
        with gr.Row(elem_id="top"):
            title = texts.TITLE if sound is None else texts.TITLE_OF_BOTH
            gr.Markdown(f"# {title}", elem_id="header")
            there = {
                "race": race is not None, "sound": sound is not None, "evidence": bool(evidence),
            }  # fmt: skip
            tour({key: name for key, name in TABS.items() if there.get(key, True)})
        with gr.Tabs(elem_id="tasks"):
            with gr.Tab(TABS["object"], id="object") as objects:
                gr.Markdown(texts.INTRODUCTION, elem_classes="introduction")
                measured = headline(evidence.get("view"))
                callbacks = object_tab(
                    demo, pipeline, Path(examples), measured=measured, compute=compute
                )
            with gr.Tab(TABS["inside"], id="inside") as inside:
                inside_tab(inside, pipeline, callbacks)
            beside = {"view": [objects, inside]}
            if race is not None:
                with gr.Tab(TABS["race"], id="race") as tab:
                    race_tab(tab, race, recorded=_recorded(weights))
            if sound is not None:
                with gr.Tab(TABS["sound"], id="sound") as tab:
                    beside["sound"] = [tab]
                    sound_tab(
                        demo, sound, sounds=find_sounds(Path(examples) / "sounds"),
                        measured=headline(evidence.get("sound")), compute=compute,
                    )  # fmt: skip
            if evidence:
                with gr.Tab(TABS["evidence"], id="evidence"):
                    sheets = find_contact_sheets(weights)
                    evidence_tab(evidence, sheets=sheets, beside=beside)
        offer_api(pipeline, sound, compute=compute)
    if warm:
        callbacks.warm_up()
        if sound is not None:
            sound.warm_up()
    light_sessions(demo)
    return take_fair_turns(demo, max_waiting=MAX_WAITING, default_limit=limit)


def _measured(weights: str | Path) -> dict[str, TaskEvidence]:
    try:
        return read_measured(weights)
    except ValueError:
        _log.exception("the page is shown without what was measured")
        return {}


def _recorded(weights: str | Path) -> Recorded | None:
    try:
        return find_recorded(weights)
    except ValueError:
        _log.exception("the page is shown without the recorded training")
        return None


def mounted(demo: gr.Blocks, pipeline: ModelPair, *others: ModelPair) -> Starlette:
    """The app for another server than Gradio's own, which serves these models at its root."""
    options = launch_options(pipeline, *others)
    demo.state_session_capacity = options.pop("state_session_capacity")
    return gr.mount_gradio_app(Starlette(), demo, path="/", **options)


def launch_options(pipeline: ModelPair, *others: ModelPair) -> dict[str, Any]:
    """What `Blocks.launch` needs beside host and port, for an app that serves these models."""
    return {
        "theme": theme(),
        "css": CSS,
        "head": HEAD,
        "favicon_path": str(Path(__file__).with_name("favicon.svg")),
        "show_error": True,
        "max_file_size": MAX_FILE_BYTES,
        "ssr_mode": False,
        "mcp_server": True,
        "state_session_capacity": MAX_SESSIONS,
        "app_kwargs": {
            "middleware": [Middleware(Guard), Middleware(Translated)],
            "routes": [health_route(pipeline, *others), code_route(), language_route()],
        },
        "footer_links": ["api", "gradio", "settings"],
    }
