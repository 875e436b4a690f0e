"""Layout and wiring of the object tab."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from hyperdemo.pipeline import ViewPipeline
from hyperdemo.ui.adapted import chunked_video, picture_file, stroke_editor
from hyperdemo.ui.object import texts
from hyperdemo.ui.object.callbacks import Callbacks
from hyperdemo.ui.object.cuts import MAX_WAIT_S, HeldCuts
from hyperdemo.ui.object.examples import find_held_out, find_photographs
from hyperdemo.ui.object.outline import CUT_COLOUR, KEEP_COLOUR
from hyperdemo.ui.object.page import Page
from hyperdemo.ui.object.viewer import object_viewer
from hyperdemo.ui.style import PENDING

SCROLL_TO_WATCH = """() => {
    document.getElementById("watch").scrollIntoView({block: "nearest"});
}"""


def object_tab(
    pipeline: ViewPipeline, examples: Path, *, measured: str, compute: dict[str, Any]
) -> None:
    held_out, cuts = find_held_out(examples / "objects"), HeldCuts()
    with gr.Row(elem_id="stage", elem_classes="stage"):
        with gr.Column(scale=4, min_width=300):
            objects = [one.picture for one in held_out]
            given = _input_side(find_photographs(examples), objects, cuts)
        with gr.Column(scale=7, min_width=320):
            shown = _output_side(measured)
    page = Page(**given, **shown, **_results(list(pipeline.models)))
    _wire(page, Callbacks(pipeline, page, held_out=held_out, cuts=cuts), compute)


def _input_side(photographs: list[Path], objects: list[Path], cuts: HeldCuts) -> dict[str, Any]:
    with gr.Tabs():
        with gr.Tab("Picture"):
            picture = picture_file(
                sources=["upload", "clipboard", "webcam"],
                label="Picture", show_label=False, height=204, elem_id="picture", buttons=[],
                placeholder="Drop a picture of one object here\n- or -\nClick to choose one",
            )  # fmt: skip
        with gr.Tab("Outline"):
            editor = _outline_editor()
            gr.Markdown(texts.OUTLINE_HELP, elem_classes="note")
    # A ticket; what it stands for is dropped an hour after its visitor has left.
    cut = gr.State(None, time_to_live=MAX_WAIT_S, delete_callback=cuts.drop)
    with gr.Row(elem_id="seen", equal_height=True):
        framed = gr.Image(
            label="What the models see", show_label=False, interactive=False, buttons=[],
            height=84, width=84, min_width=84, scale=0, elem_id="framed", container=False,
        )  # fmt: skip
        words = gr.Markdown("", elem_classes="note", elem_id="words")
    with gr.Row(equal_height=True):
        run = gr.Button("Generate", variant="primary", elem_id="run", min_width=120)
        stop = gr.Button("Stop", variant="stop", visible=False, elem_id="stop", min_width=80)
    sharpen = gr.Checkbox(
        value=False, label=texts.SHARPEN, info=texts.SHARPEN_HELP, elem_id="sharpen",
        container=False,
    )  # fmt: skip
    with gr.Column(elem_classes="examples"):
        for label, paths in ((texts.PHOTOGRAPHS, photographs), (texts.OBJECTS, objects)):
            if paths:
                gr.Examples([[str(path)] for path in paths], [picture], label=label,
                            examples_per_page=24, api_visibility="private")  # fmt: skip
    with gr.Accordion("Settings", open=False):
        sizes = gr.Dropdown([128, 192, 256, 384, 512], value=256, label="Panel size (pixels)")
        seconds = gr.Slider(2, 10, value=4, step=1, label="Seconds per turn")
        elevation = gr.Slider(-30, 60, value=20, step=5, label="Camera height (degrees)")
    return dict(
        picture=picture, editor=editor, cut=cut, framed=framed, words=words, run=run, stop=stop,
        size=sizes, seconds=seconds, elevation=elevation, sharpen=sharpen,
    )  # fmt: skip


def _outline_editor() -> gr.ImageEditor:
    return stroke_editor(
        gone=texts.GONE, label="Correct the outline", format="png", sources=[], transforms=[],
        layers=False, height=280, elem_id="editor", buttons=[],
        brush=gr.Brush(
            colors=[KEEP_COLOUR, CUT_COLOUR], default_color=CUT_COLOUR, color_mode="fixed",
            default_size=24,
        ),
        eraser=gr.Eraser(default_size=24),
    )  # fmt: skip


def _output_side(measured: str) -> dict[str, Any]:
    with gr.Column(elem_id="watch"):
        hint = gr.HTML(texts.HINT, elem_id="hint")
        stream = chunked_video(
            autoplay=True, visible=False, show_label=False, buttons=[],
            elem_id="stream", elem_classes="orbit",
        )  # fmt: skip
        loop = gr.Video(
            loop=True, autoplay=True, visible=False, show_label=False, buttons=["download"],
            elem_id="loop", elem_classes="orbit",
        )  # fmt: skip
        status = gr.HTML(texts.status_bar(0.0, ""), elem_id="status", padding=False)
    gr.Markdown(f"{texts.GUESS}\n\n{measured}", elem_classes="note")
    return dict(hint=hint, stream=stream, loop=loop, status=status)


def _results(names: list[str]) -> dict[str, Any]:
    models, meshes, networks = {}, {}, {}
    # Not `visible=False`: what Gradio holds back is not on the page yet, and late for its values.
    with gr.Column(elem_id="results", elem_classes=PENDING) as results:
        with gr.Column(visible=False) as truth:
            gr.Markdown("## Against the truth")
            with gr.Row():
                with gr.Column(scale=4, min_width=300):
                    scores = gr.Markdown(elem_id="scores")
                with gr.Column(scale=7, min_width=320):
                    sheet = gr.Image(
                        show_label=False, interactive=False, buttons=["fullscreen"],
                        elem_id="sheet",
                    )  # fmt: skip
        with gr.Row():
            with gr.Column(scale=4, min_width=300):
                gr.Markdown("## The networks")
                gr.Markdown(texts.NETWORKS_HELP, elem_classes="note")
                for name in names:
                    label = f"{texts.LABELS.get(name, name)}: its network (ZIP)"
                    networks[name] = gr.DownloadButton(label, interactive=False, size="sm")
                timings = gr.Markdown(elem_id="timings")
            with gr.Column(scale=7, min_width=320, elem_id="turn"):
                gr.Markdown(f"## {texts.TURN_TITLE}")
                viewer = object_viewer({name: texts.LABELS.get(name, name) for name in names})
                gr.Markdown(texts.TURN_HELP, elem_classes="note")
        gr.Markdown("## Their surfaces")
        with gr.Row():
            for name in names:
                with gr.Column(min_width=240):
                    models[name] = gr.Model3D(
                        label=texts.LABELS.get(name, name), height=300, interactive=False,
                        clear_color=(1.0, 1.0, 1.0, 1.0), camera_position=(75, 70, 2.9),
                    )  # fmt: skip
                    meshes[name] = gr.DownloadButton("GLB", interactive=False, size="sm")
    return dict(
        results=results, viewer=viewer, models=models, meshes=meshes, networks=networks,
        timings=timings, truth=truth, sheet=sheet, scores=scores,
    )  # fmt: skip


def _wire(page: Page, callbacks: Callbacks, compute: dict[str, Any]) -> None:
    outline = [page.cut, page.editor, page.framed, page.words]
    # What belongs to the last picture goes at once, before the server has seen the new one.
    page.picture.change(
        None, js="() => [null, null, '']", outputs=[page.editor, page.framed, page.words]
    )
    page.picture.change(
        callbacks.find_object,
        [page.picture, page.cut],
        outline,
        api_name="find_object",
        show_progress="minimal",
        show_progress_on=[page.framed],
        concurrency_id="outline",
        concurrency_limit=2,
    )
    # The editor's own bin takes the picture away too.
    page.editor.clear(
        callbacks.find_object, [page.picture, page.cut], outline, api_visibility="private"
    )
    page.editor.input(
        callbacks.correct_object,
        [page.picture, page.editor, page.cut],
        [page.framed, page.words],
        api_name="correct_object",
        trigger_mode="always_last",
        show_progress="hidden",
        concurrency_id="outline",
    )
    # On a phone what is to be watched is below the buttons.
    page.run.click(None, js=SCROLL_TO_WATCH, api_visibility="private")
    running = page.run.click(
        callbacks.generate,
        [
            page.picture,
            page.editor,
            page.size,
            page.seconds,
            page.elevation,
            page.cut,
            page.sharpen,
        ],  # fmt: skip
        page.run_outputs(),
        api_name="generate",
        show_progress="minimal",
        show_progress_on=[page.status],
        scroll_to_output=False,
        **compute,
    )
    # A Model3D stays blank when it becomes visible and gets its value in one update.
    running.success(
        callbacks.show_surfaces,
        list(page.meshes.values()),
        list(page.models.values()),
        api_visibility="private",
        queue=False,
    )
    idle = [page.run, page.stop, page.status]
    running.success(page.ended, None, idle, api_visibility="private", queue=False)
    running.failure(page.stopped, None, idle, api_visibility="private", queue=False)
    page.stop.click(
        page.stopped, None, idle, cancels=[running], api_visibility="private", queue=False
    )
