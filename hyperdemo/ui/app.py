"""The page's layout and its wiring."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import gradio as gr

from hyperdemo.media.image import MAX_FILE_BYTES
from hyperdemo.pipeline import SoundPipeline, ViewPipeline
from hyperdemo.ui.evidence.reader import read_evidence
from hyperdemo.ui.evidence.tab import evidence_tab, find_contact_sheets
from hyperdemo.ui.object import texts
from hyperdemo.ui.object.tab import object_tab
from hyperdemo.ui.sound import texts as sound_texts
from hyperdemo.ui.sound.tab import find_sounds, sound_tab
from hyperdemo.ui.style import CSS, theme

CACHE_SWEEP_S, CACHE_AGE_S = 1800, 4 * 3600
MAX_WAITING = 24


def build_app(
    pipeline: ViewPipeline,
    *,
    sound: SoundPipeline | None = None,
    examples: str | Path = "examples",
    weights: str | Path = "weights",
) -> gr.Blocks:
    """The whole app, ready to launch with `launch_options()`.

    Args:
        pipeline: the loaded models for pictures.
        sound: those for sound; without them there is no tab for it.
        examples: folder of example photographs, of objects with a truth in `objects/`, and of
            sounds in `sounds/`.
        weights: folder that may hold `results.json`, from which the page quotes and whose numbers
            it draws; without any there is no tab for them.
    """
    # Events that run models share one queue: two at once would halve each other's speed.
    limit = 1 if pipeline.device.type == "cpu" else 2
    compute = {"concurrency_id": "compute", "concurrency_limit": limit}
    results = texts.read_results(weights)
    evidence = read_evidence(results)
    with gr.Blocks(
        title="hyperdemo", analytics_enabled=False, delete_cache=(CACHE_SWEEP_S, CACHE_AGE_S)
    ) as demo:
        gr.Markdown(f"# {texts.TITLE if sound is None else texts.TITLE_OF_BOTH}", elem_id="header")
        alone = sound is None and not evidence
        with nullcontext() if alone else gr.Tabs(elem_id="tasks"):
            with nullcontext() if alone else gr.Tab("Object", id="object"):
                gr.Markdown(texts.INTRODUCTION, elem_classes="introduction")
                measured = texts.results_sentence(results)
                object_tab(pipeline, Path(examples), measured=measured, compute=compute)
            if sound is not None:
                with gr.Tab("Sound", id="sound"):
                    sound_tab(
                        demo, sound, sounds=find_sounds(Path(examples) / "sounds"),
                        measured=sound_texts.results_sentence(results), compute=compute,
                    )  # fmt: skip
            if evidence:
                with gr.Tab("Evidence", id="evidence"):
                    evidence_tab(evidence, sheets=find_contact_sheets(weights))
    return demo.queue(max_size=MAX_WAITING, default_concurrency_limit=limit)


def launch_options() -> dict[str, Any]:
    """What `Blocks.launch` needs beside host and port."""
    return {
        "theme": theme(),
        "css": CSS,
        "show_error": True,
        "max_file_size": MAX_FILE_BYTES,
        "ssr_mode": False,
        "footer_links": ["api", "gradio", "settings"],
    }
