"""Layout and wiring of the object tab."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.helpers import Examples

from hyperdemo.examples import find_held_out, find_photographs
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.ui.adapted import chunked_video, picture_file, stroke_editor
from hyperdemo.ui.guess.panel import NAMES_BACK, PRETRAINED, pair_question
from hyperdemo.ui.object import texts
from hyperdemo.ui.object.callbacks import SETTINGS, Callbacks
from hyperdemo.ui.object.cuts import MAX_WAIT_S, HeldCuts
from hyperdemo.ui.object.outline import CUT_COLOUR, KEEP_COLOUR
from hyperdemo.ui.object.page import Page
from hyperdemo.ui.object.viewer import object_viewer
from hyperdemo.ui.running import STOP, press_where_wanted, wire_examples, wire_run
from hyperdemo.ui.style import PENDING

# What plays by itself stands still for a visitor who wants no motion; they may press play.
STAND_STILL = """() => {
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const fresh = new WeakSet();
    const on = (name, listener) => document.addEventListener(name, ({target}) => {
        if (target.closest("#stream")) listener(target);
    }, true);
    on("loadstart", (video) => fresh.add(video));
    on("play", (video) => { if (fresh.delete(video)) video.pause(); });
}"""
# Gradio shows examples and pictures without words for those who do not see them, and what it puts
# into an HTML component is not read out.
NAME_PICTURES = """() => {{
    const name = (node, words) => {{
        if (node.ariaLabel !== words) node.title = node.ariaLabel = words;
    }};
    const keep = (element, selector, words) => {{
        const all = () => element.querySelectorAll(selector).forEach((b, k) => name(b, words(k)));
        new MutationObserver(all).observe(element, {{childList: true, subtree: true}});
        all();
    }};
    // A label needs a role, which Gradio's empty places lack.
    const empty = () => document.querySelectorAll(".empty[aria-label]:not([role])")
        .forEach((node) => {{ node.role = "img"; }});
    new MutationObserver(empty).observe(document.body, {{childList: true, subtree: true}});
    empty();
    document.getElementById("known").role = "status";
    const names = {names};
    keep(document.getElementById("examples"), ".gallery-item", (k) => names[k]);
    for (const [root, picture, words] of {pictures})
        keep(document.getElementById(root), `#${{picture}} .image-container > button`, () => words);
}}"""
PICTURES = [
    ("stage", "framed", "What the models see"),
    ("results", "sheet", "Both models and the truth from many sides"),
]
"""Where they stand, their names on the page, and in words."""


def object_tab(
    demo: gr.Blocks,
    pipeline: ViewPipeline,
    examples: Path,
    *,
    measured: str,
    compute: dict[str, Any],
) -> Callbacks:
    """Fill the tab that is open with components, and wire them.

    Args:
        demo: the page around it.
        pipeline: the loaded models.
        examples: folder of photographs, and of objects with a truth in `objects/`.
        measured: what the shipped models were measured at, as Markdown; "" for nothing.
        compute: `concurrency_id` and `concurrency_limit` of events that run models.
    """
    held_out, cuts = find_held_out(examples / "objects"), HeldCuts()
    photographs = find_photographs(examples)
    with gr.Row(elem_id="stage", elem_classes="stage"):
        with gr.Column(scale=3, min_width=300):
            picture = _picture()
            shelves = _examples(picture, photographs, [one.picture for one in held_out])
            given = _input_side(picture, cuts)
        with gr.Column(scale=7, min_width=320):
            shown = _output_side(list(pipeline.models), measured)
    page = Page(**given, **shown, **_results(list(pipeline.models)))
    callbacks = Callbacks(pipeline, page, held_out=held_out, photographs=photographs, cuts=cuts)
    _wire(demo, page, callbacks, shelves, compute)
    names = [one.name for one in held_out] + [path.stem.replace("_", " ") for path in photographs]
    words = {"names": json.dumps(names), "pictures": json.dumps(PICTURES)}
    demo.load(None, js=NAME_PICTURES.format(**words), api_visibility="private")
    return callbacks


def _picture() -> gr.Image:
    return picture_file(
        sources=["upload", "clipboard", "webcam"],
        label="Picture", show_label=False, height=172, elem_id="picture", buttons=[],
        placeholder="Drop a picture of one object here\n- or -\nClick to choose one", render=False,
    )  # fmt: skip


def _examples(picture: gr.Image, photographs: list[Path], objects: list[Path]) -> list[Examples]:
    with gr.Column(elem_id="examples", elem_classes="examples"):
        return [
            gr.Examples(
                [[str(path)] for path in paths],
                [picture],
                label=label,
                examples_per_page=24,
                api_visibility="private",
            )  # fmt: skip
            for label, paths in ((texts.OBJECTS, objects), (texts.PHOTOGRAPHS, photographs))
            if paths
        ]


def _input_side(picture: gr.Image, cuts: HeldCuts) -> dict[str, Any]:
    with gr.Tabs():
        with gr.Tab("Picture"):
            picture.render()
        with gr.Tab("Outline"):
            with gr.Row(elem_id="outlines"):
                others = {
                    other: gr.Button(words, size="sm", min_width=90)
                    for other, words in texts.OTHER_OUTLINES.items()
                }
            editor = _outline_editor()
            gr.Markdown(texts.OUTLINE_HELP, elem_classes="note")
    # A ticket; what it stands for is dropped an hour after its visitor has left.
    cut = gr.State(None, time_to_live=MAX_WAIT_S, delete_callback=cuts.drop)
    with gr.Row(equal_height=True):
        run = gr.Button("Generate", variant="primary", elem_id="run", min_width=120)
        stop = gr.Button(STOP, variant="stop", visible=False, elem_id="stop", min_width=80)
    with gr.Row(elem_id="seen", equal_height=True):
        framed = gr.Image(
            label="What the models see", show_label=False, interactive=False, buttons=[],
            height=84, width=84, min_width=84, scale=0, elem_id="framed", container=False,
        )  # fmt: skip
        words = gr.Markdown("", elem_classes="note", elem_id="words")
    known = gr.HTML("", elem_id="known", padding=False)
    sharpen = gr.Checkbox(
        value=False, label=texts.SHARPEN, info=texts.SHARPEN_HELP, elem_id="sharpen",
        container=False,
    )  # fmt: skip
    with gr.Accordion("Settings", open=False):
        sizes = gr.Dropdown(
            [128, 192, 256, 384, 512], value=SETTINGS["size"], label="Panel size (pixels)"
        )
        seconds = gr.Slider(2, 10, value=SETTINGS["seconds"], step=1, label="Seconds per turn")
        elevation = gr.Slider(
            -30, 60, value=SETTINGS["elevation_deg"], step=5, label="Camera height (degrees)"
        )
    return dict(
        picture=picture, others=others, editor=editor, cut=cut, framed=framed, words=words,
        known=known, run=run, stop=stop, size=sizes, seconds=seconds, elevation=elevation,
        sharpen=sharpen, wanted=gr.Textbox("", visible=False), edited=gr.Textbox("", visible=False),
    )  # fmt: skip


def _outline_editor() -> gr.ImageEditor:
    return stroke_editor(
        gone=texts.GONE, label="Correct the outline", format="png", sources=[], transforms=[],
        layers=False, height=280, elem_id="editor", buttons=[],
        brush=gr.Brush(
            colors=[KEEP_COLOUR, CUT_COLOUR], default_color=KEEP_COLOUR, color_mode="fixed",
            default_size=24,
        ),
        eraser=gr.Eraser(default_size=24),
    )  # fmt: skip


def _output_side(names: list[str], measured: str) -> dict[str, Any]:
    with gr.Column(elem_id="watch"):
        hint = gr.HTML(texts.HINT, elem_id="hint")
        stream = chunked_video(
            autoplay=True, visible=False, show_label=False, buttons=[],
            elem_id="stream", elem_classes="orbit",
        )  # fmt: skip
        labels = {name: texts.LABELS.get(name, name) for name in names}
        viewer = object_viewer(labels)
        status = gr.HTML("", elem_id="status", padding=False)
        caption = gr.Markdown("", elem_id="caption")
        if len(names) == 2 and PRETRAINED in names:
            pair_question(labels)
    gr.Markdown(measured, elem_classes="note")
    return dict(hint=hint, stream=stream, viewer=viewer, status=status, caption=caption)


def _results(names: list[str]) -> dict[str, Any]:
    meshes, networks = {}, {}
    # Not `visible=False`: what Gradio holds back is not on the page yet, and late for its values.
    with gr.Column(elem_id="results", elem_classes=PENDING) as results:
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                gr.Markdown("## To keep")
                orbit = gr.DownloadButton("Both, turning (MP4)", interactive=False, size="sm")
                for name in names:
                    label = texts.LABELS.get(name, name)
                    with gr.Row():
                        networks[name] = gr.DownloadButton(
                            f"{label}: network (ZIP)", interactive=False, size="sm", min_width=120
                        )
                        meshes[name] = gr.DownloadButton(
                            f"{label}: surface (GLB)", interactive=False, size="sm", min_width=120
                        )
                gr.Markdown(texts.NETWORKS_HELP, elem_classes="note")
                timings = gr.Markdown(elem_id="timings")
            with gr.Column(scale=7, min_width=320, visible=False) as truth:
                gr.Markdown("## Against the truth")
                scores = gr.Markdown(elem_id="scores")
                sheet = gr.Image(
                    show_label=False, interactive=False, buttons=["fullscreen"], elem_id="sheet",
                )  # fmt: skip
    return dict(
        results=results, meshes=meshes, networks=networks, timings=timings, truth=truth,
        sheet=sheet, scores=scores, orbit=orbit,
    )  # fmt: skip


def _wire(
    demo: gr.Blocks,
    page: Page,
    callbacks: Callbacks,
    shelves: list[Examples],
    compute: dict[str, Any],
) -> None:
    _wire_outline(page, callbacks)
    running, freed = wire_run(
        [page.run, page.stop], page.status, callback=callbacks.generate,
        inputs=[page.picture, page.editor, page.size, page.seconds, page.elevation, page.cut,
                page.sharpen],
        outputs=page.run_outputs(), watched="watch", api_name="generate", compute=compute,
        at_end=NAMES_BACK,
    )  # fmt: skip
    private = {"api_visibility": "private", "queue": False}
    page.run.click(None, None, page.edited, js="() => ''", **private)
    freed.then(
        None, [page.status, page.edited], page.status,
        js=f"(bar, edited) => edited ? {_stale('bar')} : bar", **private,
    )  # fmt: skip
    # The results of the picture before go with it, and so does a run that is on its way.
    gr.on(
        [page.picture.input, page.picture.clear], page.changed, None,
        [*page.run_outputs(), page.stop, page.wanted], cancels=[running], **private,
    )  # fmt: skip
    shown = [*page.run_outputs(), page.wanted]
    demo.load(None, js=STAND_STILL, api_visibility="private")
    opened = demo.load(
        callbacks.open_page, None, [page.picture, *shown], show_progress="hidden", **private
    )
    chosen = wire_examples(
        shelves, given=page.picture, show=callbacks.show_example, outputs=shown, stop=page.stop,
        running=running, watched="watch",
    )  # fmt: skip
    press_where_wanted([opened, freed, *chosen], page.wanted, button="run")


def _stale(bar: str) -> str:
    """Script: this status, but of a run that is over that it is stale."""
    return f"""{bar}?.includes('value="100"') ? {json.dumps(texts.stale_bar())} : {bar}"""


def _wire_outline(page: Page, callbacks: Callbacks) -> None:
    mark, marked = f"(bar) => [{_stale('bar')}, 'yes']", [page.status, page.edited]
    outline = [page.cut, page.editor, page.framed, page.words]
    private: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "outline"}
    seen = {"show_progress": "minimal", "show_progress_on": [page.framed], **private}
    chosen = [
        button.click(
            callbacks.choose_outline, [page.picture, page.cut, gr.State(other)], outline,
            trigger_mode="always_last", **seen,
        )
        for other, button in page.others.items()
    ]  # fmt: skip
    corrected = page.editor.input(
        callbacks.correct_object, [page.picture, page.editor, page.cut], [page.framed, page.words],
        api_name="correct_object", trigger_mode="always_last", show_progress="hidden", **private,
    )  # fmt: skip
    for event in (*chosen, corrected):
        event.success(None, page.status, marked, js=mark)
    # The editor's own bin takes the picture away too.
    cleared = page.editor.clear(
        callbacks.find_object, [page.picture, page.cut], outline, api_name="restore_object", **seen
    )
    # Or what was asked of the last picture might be answered after this one is shown. It comes
    # first, for Gradio awaits each listener to an event before it begins the next.
    page.picture.change(None, cancels=[*chosen, corrected, cleared], api_visibility="private")
    # What belongs to the last picture goes at once, before the server has seen the new one.
    page.picture.change(
        None, js="() => [null, null, '']", outputs=[page.editor, page.framed, page.words]
    )
    page.picture.change(
        callbacks.find_object, [page.picture, page.cut], outline, api_name="find_object",
        concurrency_limit=2, **seen,
    )  # fmt: skip
