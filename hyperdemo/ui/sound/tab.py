"""Layout and wiring of the sound tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.helpers import Examples

from hyperdemo.config import SoundFieldConfig
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.ui.adapted import sound_file
from hyperdemo.ui.guess.panel import hearing_question
from hyperdemo.ui.inside.sounds import sound_networks
from hyperdemo.ui.object.texts import status_bar
from hyperdemo.ui.running import STOP, press_where_wanted, wire_examples, wire_run
from hyperdemo.ui.sound import texts
from hyperdemo.ui.sound.callbacks import SoundCallbacks
from hyperdemo.ui.sound.page import SoundPage
from hyperdemo.ui.sound.player import sound_player
from hyperdemo.ui.sound.waves import waves_css
from hyperdemo.ui.style import PENDING

_SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")

NO_MORE = """document.querySelector("#sound-player [data-part=player]")
    ?.dispatchEvent(new Event("no-more"))"""

# Gradio's audio input refuses what a browser calls a video, and browsers call every WebM and MP4
# file one, also where it holds sound alone. Such files are handed to it under another name.
TAKE_VIDEOS = """() => {
    const inputOf = (target) =>
        target?.closest?.("#sound-clip")?.querySelector("input[type=file]");
    const isVideo = (files) => [...(files ?? [])].some((file) => file.type.startsWith("video/"));
    const take = (input, files) => {
        const renamed = new DataTransfer();
        for (const file of files) {
            const type = file.type.replace(/^video/, "audio");
            renamed.items.add(new File([file], file.name, {type}));
        }
        input.files = renamed.files;
    };
    document.addEventListener("pointerdown", ({target}) => {
        const input = inputOf(target);
        if (input && !input.accept.includes("video")) input.accept += ", video/*";
    }, true);
    document.addEventListener("change", ({target}) => {
        if (inputOf(target) === target && isVideo(target.files)) take(target, target.files);
    }, true);
    document.addEventListener("drop", (event) => {
        const input = inputOf(event.target), files = event.dataTransfer?.files;
        if (!input || !isVideo(files)) return;
        event.preventDefault();
        event.stopPropagation();
        take(input, files);
        input.dispatchEvent(new Event("change", {bubbles: true}));
    }, true);
}"""


def find_sounds(folder: str | Path) -> list[Path]:
    """Example clips, in the order of their names; none where there is no such folder."""
    return sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in _SUFFIXES)


def sound_tab(
    demo: gr.Blocks,
    pipeline: SoundPipeline,
    *,
    sounds: list[Path],
    measured: str,
    compute: dict[str, Any],
) -> None:
    """Fill the tab that is open with components, and wire them.

    Args:
        demo: the page around it.
        pipeline: the loaded models.
        sounds: example clips.
        measured: what the shipped models were measured at, as Markdown; "" for nothing.
        compute: `concurrency_id` and `concurrency_limit` of events that run models.
    """
    config = next(iter(pipeline.models.values())).model.config
    gr.Markdown(texts.introduction(config.field), elem_classes="introduction")
    with gr.Row(elem_classes="stage"):
        with gr.Column(scale=4, min_width=300):
            given, shelves = _input_side(sounds)
        with gr.Column(scale=7, min_width=320):
            words = f"{texts.LISTENING} {texts.PHASE[config.backbone.inputs]}"
            shown = _output_side(list(pipeline.models), f"{words}\n\n{measured}")
    labels = {name: texts.LABELS.get(name, name) for name in pipeline.models}
    sound_networks(pipeline, labels, given["clip"])
    page = SoundPage(**given, **shown, **_results(list(pipeline.models), config.field))
    _wire(demo, page, SoundCallbacks(pipeline, page, sounds=sounds), shelves, compute)


def _input_side(sounds: list[Path]) -> tuple[dict[str, Any], list[Examples]]:
    clip = sound_file(
        sources=["upload", "microphone"], label="Sound", show_label=False,
        buttons=[], elem_id="sound-clip", render=False,
    )  # fmt: skip
    shelves = []
    if sounds:
        waves = waves_css(sounds, "#sounds .gallery-item")
        gr.HTML(f"<style>{waves}</style>", elem_classes=PENDING)
        with gr.Column(elem_id="sounds", elem_classes=["examples", "sounds"]):
            shelf = gr.Examples([[str(path)] for path in sounds], [clip], label=texts.EXAMPLES,
                                example_labels=[texts.name_of(path.stem) for path in sounds],
                                examples_per_page=24, api_visibility="private")  # fmt: skip
            shelves.append(shelf)
    clip.render()
    words = gr.Markdown("", elem_classes="note", elem_id="sound-words")
    with gr.Row(equal_height=True):
        run = gr.Button("Resynthesise", variant="primary", elem_id="sound-run", min_width=120)
        stop = gr.Button(STOP, variant="stop", visible=False, elem_id="sound-stop", min_width=80)
    wanted = gr.Textbox("", visible=False)
    return dict(clip=clip, words=words, run=run, stop=stop, wanted=wanted), shelves


def _output_side(names: list[str], words: str) -> dict[str, Any]:
    player = sound_player(texts.tracks(names))
    status = gr.HTML(status_bar(0.0, ""), elem_id="sound-status", padding=False)
    hearing_question({name: texts.LABELS.get(name, name) for name in names})
    gr.Markdown(words, elem_classes="note")
    return dict(player=player, status=status)


def _results(names: list[str], field: SoundFieldConfig) -> dict[str, Any]:
    # Not `visible=False`: what Gradio holds back is not on the page yet, and late for its values.
    with gr.Column(elem_id="sound-results", elem_classes=PENDING) as results:
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                gr.Markdown("## Against the original")
                scores = gr.Markdown(elem_id="sound-scores")
                gr.Markdown(texts.SCORES_NOTE, elem_classes="note")
                kept, downloads = _downloads(names, field)
                gr.Markdown("## Work")
                timings = gr.Markdown(elem_id="sound-timings")
            with gr.Column(scale=7, min_width=320):
                gr.Markdown("## Spectrograms")
                spectrograms = gr.Plot(
                    show_label=False, elem_id="sound-spectrograms", container=False
                )
                gr.Markdown("## What the models changed")
                gr.Markdown(texts.DIFFERENCE_NOTE, elem_classes="note")
                differences = gr.Plot(
                    show_label=False, elem_id="sound-differences", container=False
                )
    return dict(
        results=results, scores=scores, timings=timings, spectrograms=spectrograms,
        differences=differences, kept=kept, **downloads,
    )  # fmt: skip


def _downloads(names: list[str], field: SoundFieldConfig) -> tuple[gr.State, dict[str, Any]]:
    waves, networks = {}, {}
    gr.Markdown("## To keep")
    rate = gr.Radio(
        [(texts.OWN_RATE, 0)] + [(f"{hz:,} Hz", hz) for hz in texts.RATES_HZ],
        value=0, label="Rate of the WAV files", elem_id="sound-rate",
    )  # fmt: skip
    for name in names:
        label = texts.LABELS.get(name, name)
        with gr.Row():
            waves[name] = gr.DownloadButton(
                f"{label}: WAV", interactive=False, size="sm", min_width=120,
                elem_id=f"sound-wave-{name}",
            )  # fmt: skip
            networks[name] = gr.DownloadButton(
                f"{label}: ZIP", interactive=False, size="sm", min_width=120,
                elem_id=f"sound-networks-{name}",
            )  # fmt: skip
    gr.Markdown(f"{texts.rate_note(field)}\n\n{texts.NETWORKS_NOTE}", elem_classes="note")
    return gr.State(None), dict(rate=rate, waves=waves, networks=networks)


def _wire(
    demo: gr.Blocks,
    page: SoundPage,
    callbacks: SoundCallbacks,
    shelves: list[Examples],
    compute: dict[str, Any],
) -> None:
    demo.load(None, js=TAKE_VIDEOS, api_visibility="private")
    _wire_rate(page, callbacks, shelves, compute)
    running, freed = wire_run(
        [page.run, page.stop], page.status, callback=callbacks.resynthesise, inputs=[page.clip],
        outputs=page.run_outputs(), watched="sound-player", api_name="resynthesise",
        compute=compute, at_end=NO_MORE,
    )  # fmt: skip
    # The results of the sound before go with it, and so does a run that is on its way.
    shown = [*page.run_outputs(), page.stop, page.wanted]
    gr.on(
        [page.clip.input, page.clip.clear], page.changed, None, shown, cancels=[running],
        api_visibility="private", queue=False,
    )  # fmt: skip
    chosen = wire_examples(
        shelves, given=page.clip, show=callbacks.show_example, outputs=shown, stop=page.stop,
        running=running, watched="sound-player",
    )  # fmt: skip
    press_where_wanted([freed, *chosen], page.wanted, button="sound-run")


def _wire_rate(
    page: SoundPage, callbacks: SoundCallbacks, shelves: list[Examples], compute: dict[str, Any]
) -> None:
    # Not `change`: a new run sets the rate back itself.
    asked = page.rate.input(
        callbacks.evaluate, [page.rate, page.kept], list(page.waves.values()),
        api_name="sound_at_rate", api_visibility="private", trigger_mode="always_last",
        show_progress="minimal", **compute,
    )  # fmt: skip
    # Or the files of the sound before might be offered for this one. Wired before whatever else
    # these begin, for Gradio awaits each listener to an event before it begins the next.
    chosen = [shelf.dataset.click for shelf in shelves]
    gr.on(
        [page.clip.input, page.clip.clear, page.run.click, *chosen], None, cancels=[asked],
        api_visibility="private",
    )  # fmt: skip
