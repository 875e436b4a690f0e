"""The page's components, and what changes on them when a run starts and ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr

from hyperdemo.examples import HeldOut, example_name
from hyperdemo.ui.object import texts
from hyperdemo.ui.object.stream import Result, Steps
from hyperdemo.ui.object.viewer import Truth, viewer_value
from hyperdemo.ui.running import ending
from hyperdemo.ui.style import PENDING


@dataclass(frozen=True)
class Page:
    """Components that events read or write.

    Mappings hold one component per model.
    """

    picture: gr.Image
    others: dict[str | None, gr.Button]  # other outlines, by `preprocess.OTHERS`
    editor: gr.ImageEditor
    cut: gr.State
    framed: gr.Image
    words: gr.Markdown
    known: gr.HTML
    run: gr.Button
    stop: gr.Button
    size: gr.Dropdown
    seconds: gr.Slider
    elevation: gr.Slider
    sharpen: gr.Checkbox
    hint: gr.HTML
    stream: gr.Video
    orbit: gr.DownloadButton
    status: gr.HTML
    caption: gr.Markdown
    edited: gr.Textbox  # "yes" where the outline was changed since the last run began
    wanted: gr.Textbox  # "run" where the page is to press Generate by itself
    viewer: gr.HTML
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
        return {name: texts.LABELS.get(name, name) for name in self.networks}

    def run_outputs(self) -> list:
        """All that a run may change."""
        named = [*self.meshes.values(), *self.networks.values()]
        return [
            *(self.hint, self.stream, self.orbit, self.status, self.caption, self.known),
            *(self.results, self.timings, self.truth, self.sheet, self.scores, self.viewer),
            *named,
        ]

    def cleared(self) -> dict:
        """Nothing that belongs to the picture before."""
        return {
            self.stream: gr.Video(value=None, visible=False),
            self.viewer: viewer_value({}, self.labels, cached=str),
            self.results: gr.Column(elem_classes=PENDING),
            self.caption: "",
            self.known: "",
            self.status: "",
        }

    def changed(self) -> dict:
        """Another picture was given: an empty stage that says what to do."""
        stage = {self.hint: gr.HTML(visible=True), self.stop: ending(), self.wanted: ""}
        return self.cleared() | stage

    def started(self, *, sharpen: bool) -> dict:
        """An empty stage for a new run; where it sharpens, its steps are shown and no video."""
        return self.cleared() | {
            self.hint: gr.HTML(visible=False),
            self.stream: gr.Video(value=None, visible=not sharpen),
            self.status: texts.status_bar(0.0, "reading the picture"),
        }

    def sharpened(
        self, steps: Steps, held_out: HeldOut | None, *, cached: Callable[[Path], str]
    ) -> dict:
        """The steps so far, in the view that a visitor turns."""
        return {self.viewer: self._stage(held_out, cached=cached, steps=steps)}

    def _stage(
        self,
        held_out: HeldOut | None,
        *,
        cached: Callable[[Path], str],
        steps: Steps,
        volumes: Mapping[str, Path] = MappingProxyType({}),
        video: Path | None = None,
    ) -> dict[str, Any]:
        return viewer_value(
            volumes, self.labels, cached=cached, steps=steps, video=video,
            truth=held_out and Truth(held_out.strip, held_out.views),
            example=example_name(held_out.picture) if held_out else "",
        )  # fmt: skip

    def failed(self) -> dict:
        """After a run that ended in an error."""
        return {self.status: texts.status_bar(0.0, texts.FAILED)}

    def finished(
        self, result: Result, held_out: HeldOut | None, *, cached: Callable[[Path], str]
    ) -> dict:
        """Everything that came out; the stream gives way to the view that a visitor turns."""
        total = sum(result.seconds.values())
        name = held_out and held_out.name
        shown = {
            self.hint: gr.HTML(visible=False),
            self.stream: gr.Video(visible=False),
            self.orbit: gr.DownloadButton(value=str(result.orbit), interactive=True),
            self.status: texts.status_bar(1.0, f"done in {total:.1f} s on {result.device}"),
            self.caption: texts.caption(name, sharpened=result.sharpened),
            self.known: texts.nearest_known(result.compared),
            self.results: gr.Column(elem_classes=[]),
            self.timings: texts.timings_table(result.seconds, result.n_parameters),
            self.viewer: self._stage(
                held_out,
                cached=cached,
                volumes=result.volumes,
                video=result.orbit,
                steps=result.steps,
            ),
            self.truth: gr.Column(visible=result.sheet is not None),
        }
        if result.sheet is not None:
            shown[self.sheet] = str(result.sheet)
            shown[self.scores] = texts.scores_table(name, result.scores)
        for name, path in result.networks.items():
            shown[self.networks[name]] = gr.DownloadButton(value=str(path), interactive=True)
        for name, path in result.meshes.items():
            value = None if path is None else str(path)
            shown[self.meshes[name]] = gr.DownloadButton(value=value, interactive=path is not None)
        return shown
