"""Layout and wiring of the evidence tab."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import gradio as gr
import plotly.graph_objects as go

from hyperdemo.results.measured import METRICS, THINGS, Experiment, Metric, TaskEvidence
from hyperdemo.results.verdicts import verdict_table
from hyperdemo.ui.evidence import texts
from hyperdemo.ui.evidence.figures import (
    answers_figure,
    experiment_figure,
    rates_figure,
    training_figure,
)
from hyperdemo.ui.evidence.findings import Finding, findings
from hyperdemo.ui.sound.texts import name_of

_SUFFIXES = (".webp", ".png", ".jpg")


@dataclass(frozen=True)
class Drawn:
    """A figure and its words: what it means, and the facts beneath it."""

    figure: go.Figure
    words: str
    caption: str


@dataclass(frozen=True)
class Panel:
    """A heading, a line under it, and how to draw what follows for a metric and a split."""

    heading: str
    question: str
    draw: Callable[[Metric, str], Drawn]


def find_contact_sheets(weights: str | Path) -> list[Path]:
    """Pictures in `evidence/` beside the weights, in the order of their names.

    A text file of the same name holds the words under it.
    """
    folder = Path(weights) / "evidence"
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in _SUFFIXES)


def evidence_tab(
    tasks: Mapping[str, TaskEvidence],
    *,
    sheets: Sequence[Path] = (),
    beside: Mapping[str, Sequence[gr.Tab]] = MappingProxyType({}),
) -> None:
    """Fill the tab that is open with one section per task.

    Args:
        tasks: at least one.
        sheets: pictures to show with the objects.
        beside: tabs of the page by task; whoever comes from one finds that task's section open.
    """
    with gr.Column(elem_id="evidence-page"):
        gr.Markdown(texts.INTRODUCTION, elem_classes="introduction")
        _sections(tasks, sheets, beside)


def _sections(
    tasks: Mapping[str, TaskEvidence],
    sheets: Sequence[Path],
    beside: Mapping[str, Sequence[gr.Tab]],
) -> None:
    shown = {task: list(sheets) if task == "view" else [] for task in tasks}
    if len(tasks) == 1:
        ((task, evidence),) = tasks.items()
        _section(evidence, shown[task])
        return
    with gr.Tabs(elem_id="evidence-tasks") as sections:
        for task, evidence in tasks.items():
            with gr.Tab(texts.TASKS[task], id=f"evidence-{task}"):
                _section(evidence, shown[task])
    for task, tabs in beside.items():
        for tab in tabs:
            tab.select(
                partial(gr.Tabs, selected=f"evidence-{task}"), None, sections,
                show_progress="hidden", queue=False, api_visibility="private",
            )  # fmt: skip


def panels(evidence: TaskEvidence) -> list[Panel]:
    """What a task's section shows, from the top down."""
    found = []
    if evidence.answers:
        found.append(Panel("The two models and baselines", "", _answers(evidence)))
    if evidence.trainings:
        found.append(Panel("Training curves", "", _trainings(evidence)))
    for experiment in evidence.experiments:
        draw = _experiment(experiment, evidence.task)
        found.append(Panel(experiment.title, experiment.question, draw))
    if evidence.rates:
        found.append(Panel("Quality against bitrate", "", _rates(evidence)))
    return found


def _answers(evidence: TaskEvidence) -> Callable[[Metric, str], Drawn]:
    def draw(metric: Metric, split: str) -> Drawn:
        figure = answers_figure(
            evidence, metric, split, labels=texts.ANSWER_LABELS[evidence.task],
            split_labels=texts.SPLIT_LABELS[evidence.task],
        )  # fmt: skip
        words = texts.answers_words(evidence, metric, split)
        return Drawn(figure, words, texts.answers_caption(evidence, split))

    return draw


def _trainings(evidence: TaskEvidence) -> Callable[[Metric, str], Drawn]:
    trainings, labels = evidence.trainings, texts.ANSWER_LABELS[evidence.task]

    def draw(metric: Metric, split: str) -> Drawn:
        check = texts.check_of(evidence.task, metric)
        figure = training_figure(trainings, check, labels=labels)
        words = texts.training_words(trainings, check)
        return Drawn(figure, words, texts.training_caption(evidence.task, trainings))

    return draw


def _experiment(experiment: Experiment, task: str) -> Callable[[Metric, str], Drawn]:
    def draw(metric: Metric, split: str) -> Drawn:
        caption = texts.experiment_caption(experiment, metric, split, task=task)
        figure = experiment_figure(experiment, metric, split, labels=texts.ANSWER_LABELS[task])
        return Drawn(figure, experiment.reading, caption)

    return draw


def _rates(evidence: TaskEvidence) -> Callable[[Metric, str], Drawn]:
    rates = evidence.rates
    caption = texts.rates_caption(rates, task=evidence.task)
    return lambda metric, split: Drawn(rates_figure(rates, metric), rates.reading, caption)


def _section(evidence: TaskEvidence, sheets: Sequence[Path]) -> None:
    shown = panels(evidence)
    _findings(findings(evidence))
    if evidence.verdicts:
        axis, things = METRICS[evidence.task][0].axis, THINGS[evidence.task]
        gr.Markdown(verdict_table(evidence.verdicts, axis, things=things))
    metrics = {metric.key: metric for metric in evidence.metrics}
    labels = texts.SPLIT_LABELS[evidence.task]
    with gr.Row():
        metric = gr.Dropdown(
            [(one.axis, one.key) for one in metrics.values()], label="Measured by",
            value=next(iter(metrics)), min_width=220,
        )  # fmt: skip
        split = gr.Radio(
            [(labels[one], one) for one in evidence.splits], label="On",
            value=evidence.splits[0], min_width=300,
        )  # fmt: skip
    meanings = texts.MEANINGS[evidence.task]
    meaning = gr.Markdown(meanings[metric.value])
    with gr.Column(elem_classes="evidence"):
        outputs = _places(shown, metrics[metric.value], split.value)
    if sheets:
        _contact_sheets(sheets)

    def following(choice: gr.Dropdown | gr.Radio) -> Callable[[str, str], list]:
        """What draws anew after a choice; the other choice gives way where the two were not
        measured together, as intelligibility on music."""

        def redraw(metric_key: str, split_key: str) -> list:
            moved: Any = gr.skip()
            if choice is metric:
                there = [one for one in evidence.splits if evidence.has(metric_key, one)]
                if there and split_key not in there:
                    moved = split_key = there[0]
            else:
                there = [one for one in metrics if evidence.has(one, split_key)]
                if there and metric_key not in there:
                    moved = metric_key = there[0]
            drawn = [panel.draw(metrics[metric_key], split_key) for panel in shown]
            parts = [part for one in drawn for part in (one.words, one.figure, one.caption)]
            return [moved, meanings[metric_key], *parts]

        return redraw

    for choice, other in ((metric, split), (split, metric)):
        choice.input(
            following(choice), [metric, split], [other, meaning, *outputs],
            api_visibility="private", show_progress="hidden", queue=False,
            trigger_mode="always_last",
        )  # fmt: skip


def _findings(found: Sequence[Finding]) -> None:
    with gr.Column(elem_classes=["evidence", "findings"]):
        for one in found:
            with gr.Column(min_width=260):
                gr.Markdown(one.sentence)
                gr.Plot(one.figure, show_label=False, container=False, buttons=[])


def _places(shown: Sequence[Panel], metric: Metric, split: str) -> list:
    """A component for each part of each panel, in the order in which `redraw` gives them."""
    places = []
    for panel in shown:
        drawn = panel.draw(metric, split)
        with gr.Column(min_width=300):
            gr.Markdown(f"## {panel.heading}\n\n{panel.question}".strip())
            words = gr.Markdown(drawn.words)
            figure = gr.Plot(drawn.figure, show_label=False, container=False, buttons=[])
            caption = gr.Markdown(drawn.caption, elem_classes="note")
        places += [words, figure, caption]
    return places


def _contact_sheets(sheets: Sequence[Path]) -> None:
    with gr.Column():
        gr.Markdown("## Side by side")
        for path in sheets:
            gr.Image(
                str(path), label=name_of(path.stem), show_label=False, interactive=False,
                buttons=["fullscreen"],
            )  # fmt: skip
            gr.Markdown(_caption(path))


def _caption(sheet: Path) -> str:
    """What is written beside a sheet, or its name."""
    words = sheet.with_suffix(".txt")
    return words.read_text().strip() if words.is_file() else name_of(sheet.stem)
