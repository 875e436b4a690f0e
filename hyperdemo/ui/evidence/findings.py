"""What to remember of a task: three findings, each one sentence and one small figure."""

from __future__ import annotations

from dataclasses import dataclass

import plotly.graph_objects as go

from hyperdemo.metrics.paired import Paired
from hyperdemo.results.measured import Metric, TaskEvidence
from hyperdemo.ui.evidence.canvas import FIXED, GREY, PRETRAINED, SCRATCH, sheet, whiskers
from hyperdemo.ui.evidence.rows import Row, rows_figure
from hyperdemo.ui.evidence.texts import OF_SPLIT
from hyperdemo.ui.texts import UNNOTICED

MAIN = {"view": "psnr", "sound": "si_snr"}
"""The metric of the findings."""

_NAMES = {"foundation": "pretrained", "scratch": "from scratch", "ceiling": "fitted directly"}


@dataclass(frozen=True)
class Finding:
    """A sentence, as Markdown, and its figure."""

    sentence: str
    figure: go.Figure


def findings(evidence: TaskEvidence) -> list[Finding]:
    """As many as were measured: the difference on known and on new kinds, and the room above."""
    metric = next((m for m in evidence.metrics if m.key == MAIN[evidence.task]), None)
    if metric is None:
        return []
    found = [
        _difference(evidence.task, metric, split, paired[metric.key])
        for split in ("test", "unseen")
        if metric.key in (paired := evidence.paired.get(split, {}))
    ]
    room = _room(evidence, metric)
    return [one for one in (*found, room) if one is not None]


def _difference(task: str, metric: Metric, split: str, paired: Paired) -> Finding | None:
    if paired.stderr is None:
        return None
    ahead = paired.ahead(higher=metric.higher)
    small = metric.noticed is not None and abs(paired.mean) < metric.noticed
    verdicts = {
        1: "pretraining helps", 0: "no clear difference", -1: "training from scratch does better"
    }  # fmt: skip
    verdict = verdicts[ahead]
    if ahead and small:
        verdict += f", but by less than {UNNOTICED[task]}"
    amount = f"{'+' if paired.mean > 0 else ''}{metric.text(paired.mean)}"
    sentence = (
        f"**On {OF_SPLIT[task][split]}: {verdict}.** {amount} ± {metric.text(paired.stderr)} "
        f"{metric.unit} of {metric.name}, better on {paired.better} of {paired.n}."
    )
    return Finding(sentence, _difference_figure(task, metric, paired))


def _difference_figure(task: str, metric: Metric, paired: Paired) -> go.Figure:
    """One dot with a whisker of two standard errors, beside what nobody notices."""
    assert paired.stderr is not None, "a single pair has no figure"
    noticed = metric.noticed or 0.0
    reach = 1.5 * max(noticed, abs(paired.mean) + 2 * paired.stderr)
    dot = go.Scatter(
        x=[paired.mean], y=[0], mode="markers", error_x=whiskers([2 * paired.stderr]),
        marker={"size": 13, "color": PRETRAINED if paired.mean > 0 else SCRATCH},
        hovertemplate=f"%{{x:.{metric.digits}f}} {metric.unit}<extra></extra>",
    )  # fmt: skip
    figure = sheet([dot], height=120, right=10, top=26)
    figure.update_yaxes(visible=False, range=[-1, 1])
    figure.update_xaxes(
        range=[-reach, reach], nticks=5,
        title_text=f"pretrained minus from scratch ({metric.unit})",
    )  # fmt: skip
    figure.add_vline(0, line={"color": GREY, "width": 1})
    if noticed:
        figure.add_vrect(
            -noticed, noticed, fillcolor=GREY, opacity=0.18, line_width=0,
            annotation_text=f"less than {UNNOTICED[task]}", annotation_position="outside top",
            annotation_font_size=13,
        )  # fmt: skip
    return figure


def _room(evidence: TaskEvidence, metric: Metric) -> Finding | None:
    """What the same small network reaches where it is fitted, on the same things."""
    split, own = "test", evidence.answers.get("ceiling", {}).get("test")
    models = evidence.same.get(split, {}).get("ceiling", {})
    if own is None or metric.key not in own.values or "foundation" not in models:
        return None
    shown = {name: models[name] for name in ("scratch", "foundation") if name in models}
    shown["ceiling"] = own
    rows = [
        Row(_NAMES[name], "", FIXED.get(name, GREY), one.values[metric.key], one.stderr(metric.key))
        for name, one in shown.items()
        if metric.key in one.values
    ]
    where = f"the same {own.n} {OF_SPLIT[evidence.task][split]}"
    sentence = (
        f"**The small network could hold more.** Fitted directly to {where}, it reaches "
        f"{metric.text(own.values[metric.key])} {metric.unit}; written in one pass by the "
        f"pretrained model, {metric.text(models['foundation'].values[metric.key])}."
    )
    return Finding(sentence, rows_figure(rows, metric, legend={}))
