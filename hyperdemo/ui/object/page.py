"""The page's components, and what changes on them when a run starts and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from hyperdemo.ui.object import texts
from hyperdemo.ui.object.stream import Result
from hyperdemo.ui.object.viewer import viewer_value
from hyperdemo.ui.style import PENDING


@dataclass(frozen=True)
class Page:
    """Components that events read or write.

    Mappings hold one component per model.
    """

    picture: gr.Image
    editor: gr.ImageEditor
    cut: gr.State
    framed: gr.Image
    words: gr.Markdown
    run: gr.Button
    stop: gr.Button
    size: gr.Dropdown
    seconds: gr.Slider
    elevation: gr.Slider
    sharpen: gr.Checkbox
    hint: gr.HTML
    stream: gr.Video
    loop: gr.Video
    status: gr.HTML
    viewer: gr.HTML
    models: dict[str, gr.Model3D]
    meshes: dict[str, gr.DownloadButton]
    networks: dict[str, gr.DownloadButton]
    results: gr.Column
    timings: gr.Markdown
    truth: gr.Column
    sheet: gr.Image
    scores: gr.Markdown

    @property
    def labels(self) -> dict[str, str]:
        """Key and name of each model."""
        return {name: texts.LABELS.get(name, name) for name in self.models}

    def run_outputs(self) -> list:
        """All that a run may change."""
        named = [*self.models.values(), *self.meshes.values(), *self.networks.values()]
        return [
            *(self.run, self.stop, self.hint, self.stream, self.loop, self.status),
            *(self.results, self.timings, self.truth, self.sheet, self.scores, self.viewer),
            *named,
        ]

    def started(self) -> dict:
        """An empty stage for a new run."""
        return {
            self.run: gr.Button(interactive=False),
            self.stop: gr.Button(visible=True),
            self.hint: gr.HTML(visible=False),
            self.stream: gr.Video(value=None, visible=True),
            self.loop: gr.Video(value=None, visible=False),
            self.status: texts.status_bar(0.0, "reading the picture"),
            self.results: gr.Column(elem_classes=PENDING),
            self.viewer: viewer_value({}, self.labels, cached=str),
            **{model: None for model in self.models.values()},
        }

    def ended(self) -> dict:
        """The buttons when no run is going on."""
        return {self.run: gr.Button(interactive=True), self.stop: gr.Button(visible=False)}

    def stopped(self) -> dict:
        """After a visitor has stopped a run, or after one that failed."""
        return self.ended() | {self.status: texts.status_bar(0.0, "stopped")}

    def finished(
        self,
        result: Result,
        object_name: str | None,
        *,
        device: str,
        cached: Callable[[Path], str],
    ) -> dict:
        """Everything that came out; the stream gives way to the video that loops."""
        total = sum(result.seconds.values())
        shown = {
            self.stream: gr.Video(visible=False),
            self.loop: gr.Video(value=str(result.orbit), visible=True),
            self.status: texts.status_bar(1.0, f"done in {total:.1f} s on {device}"),
            self.results: gr.Column(elem_classes=[]),
            self.timings: texts.timings_table(result.seconds, result.n_parameters),
            self.viewer: viewer_value(result.volumes, self.labels, cached=cached),
            self.truth: gr.Column(visible=result.sheet is not None),
        }
        if result.sheet is not None:
            shown[self.sheet] = str(result.sheet)
            shown[self.scores] = texts.scores_table(object_name, result.scores)
        for name, path in result.networks.items():
            shown[self.networks[name]] = gr.DownloadButton(value=str(path), interactive=True)
        for name, path in result.meshes.items():
            value = None if path is None else str(path)
            shown[self.meshes[name]] = gr.DownloadButton(value=value, interactive=path is not None)
        return shown
