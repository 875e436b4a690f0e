"""Evidence as figures: dots and lines with their spread, legible on light and on dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from hyperdemo.results.measured import (
    Arm,
    Experiment,
    Measured,
    Metric,
    Rates,
    Spread,
    TaskEvidence,
    Training,
)
from hyperdemo.ui.evidence.canvas import (
    FIXED,
    YARDSTICK,
    colours,
    nothing,
    seeds,
    sheet,
    whiskers,
)
from hyperdemo.ui.evidence.rows import Row, rows_figure

LOG_FROM = 20.0
"""An axis is logarithmic if its largest number is more than this many times its smallest."""
_LINE_PX = 330
MOST_SPLITS = 3
"""More than these beside each other are hard to read: then the first stands beside the chosen."""


def answers_figure(
    evidence: TaskEvidence,
    metric: Metric,
    split: str,
    *,
    labels: Mapping[str, str],
    split_labels: Mapping[str, str],
) -> go.Figure:
    """Every answer on a split, and as hollow dots on others; then those that were measured on
    fewer, beside what the two models reach on the same.

    Args:
        evidence: of a task.
        metric: that the dots show.
        split: shown in full.
        labels: shown names of the answers, which are drawn in their order.
        split_labels: shown names of the splits.
    """
    names = sorted(evidence.answers, key=lambda name: _place(name, labels))
    fewer = evidence.same.get(split, {})
    splits = evidence.splits
    shown = splits if len(splits) <= MOST_SPLITS else {splits[0], split}

    def row(label: str, name: str, each: str, measured: Measured) -> Row:
        return Row(
            label, split_labels.get(each, each), FIXED.get(name, YARDSTICK),
            measured.values[metric.key], measured.stderr(metric.key), hollow=each != split,
        )  # fmt: skip

    rows = [
        row(labels.get(name, name), name, each, measured)
        for name in names if name not in fewer
        for each, measured in evidence.answers[name].items()
        if each in shown and metric.key in measured.values
    ]  # fmt: skip
    alike = {
        (-found.n, _place(one, labels), one): found
        for name, models in fewer.items()
        for one, found in {name: evidence.answers[name][split], **models}.items()
        if metric.key in found.values
    }
    for (_, _, one), found in sorted(alike.items(), key=lambda pair: pair[0]):
        label = labels.get(one, one).split(": ")[-1]
        rows.append(row(f"on {found.n}: {label}", one, split, found))
    shades = {one.series: YARDSTICK for one in rows}
    return rows_figure(rows, metric, legend=shades if len(shades) > 1 else {})


def training_figure(
    trainings: Mapping[str, Training], check: Metric, *, labels: Mapping[str, str]
) -> go.Figure:
    """Quality on validation data against steps, one line per model."""
    tint = colours(list(trainings))
    traces = [
        go.Scatter(
            x=[step for step, _ in training.curves[check.key]],
            y=[value for _, value in training.curves[check.key]],
            name=labels.get(name, name), mode="lines+markers", line={"color": tint[name]},
            marker={"size": 5}, hovertemplate="step %{x:,}: %{y}<extra></extra>",
        )
        for name, training in trainings.items()
        if check.key in training.curves
    ]  # fmt: skip
    return _lines(traces, x_title="steps", y_title=check.axis)


def experiment_figure(
    experiment: Experiment, metric: Metric, split: str, *, labels: Mapping[str, str]
) -> go.Figure:
    """Lines where the arms stand on an axis, or else dots in rows.

    Whiskers are one standard deviation over seeds; small dots are the seeds. Yardsticks are grey
    dots, or dotted lines, as far as they are near.

    Args:
        experiment: what is drawn.
        metric: that it is measured by.
        split: that it is measured on.
        labels: shown names of the yardsticks.
    """
    arms = [(arm, arm.spread(metric.key, split)) for arm in experiment.arms]
    kept = [(arm, spread) for arm, spread in arms if spread is not None]
    yardsticks = {
        labels.get(name, name).split(":")[0]: measured.values[metric.key]
        for name, measured in experiment.beside(metric.key, split).items()
    }
    if not kept:
        return nothing()
    if experiment.has_axis:
        figure = _arm_lines(kept, metric, x_title=experiment.x_label)
        return _dotted(figure, yardsticks, [value for _, one in kept for value in one.values])
    return _arm_rows(kept, metric, yardsticks)


def rates_figure(rates: Rates, metric: Metric) -> go.Figure:
    """Quality against kbit/s, one line per codec."""
    tint = colours(list(rates.curves))
    traces = []
    for codec, points in rates.curves.items():
        kept = [point for point in points if metric.key in point.values]
        trace = go.Scatter(
            x=[point.kbit_s for point in kept], y=[point.values[metric.key] for point in kept],
            name=codec, mode="lines+markers", line={"color": tint[codec]}, marker={"size": 8},
            text=[point.label for point in kept],
            hovertemplate="%{text}: %{y} at %{x:.1f} kbit/s<extra>" + codec + "</extra>",
        )  # fmt: skip
        traces += [trace] if kept else []
    figure = _lines(traces, x_title="kbit/s", y_title=metric.axis)
    return _scaled(figure, [x for trace in traces for x in trace.x], log=True)


def _dotted(
    figure: go.Figure, yardsticks: Mapping[str, float], shown: Sequence[float]
) -> go.Figure:
    """A dotted line a yardstick, unless it is so far off that it would flatten the rest."""
    for label, value in yardsticks.items():
        if _is_near(value, shown):
            figure.add_hline(
                value, line={"color": YARDSTICK, "dash": "dot"}, annotation_text=label,
                annotation_position="bottom right", annotation_font_size=13,
            )  # fmt: skip
    return figure


def _is_near(value: float, shown: Sequence[float]) -> bool:
    low, high = min(shown), max(shown)
    reach = (high - low) or abs(high) or 1.0
    return low - reach <= value <= high + reach


def _arm_rows(
    kept: Sequence[tuple[Arm, Spread]], metric: Metric, yardsticks: Mapping[str, float]
) -> go.Figure:
    tint = colours([arm.series for arm, _ in kept])
    rows = [
        Row(
            arm.label, arm.series, tint[arm.series], spread.mean, spread.sd,
            dots=spread.values if spread.sd is not None else (),
        )
        for arm, spread in kept
    ]  # fmt: skip
    # Where each label has a series of its own, the labels say it all.
    alone = len(tint) == len({row.label for row in rows}) == len(rows)
    legend = tint if len(tint) > 1 and not alone else {}
    return rows_figure([*rows, *_near(yardsticks, kept)], metric, legend=legend)


def _near(yardsticks: Mapping[str, float], kept: Sequence[tuple[Arm, Spread]]) -> list[Row]:
    """Yardsticks that are not so far off that the arms would all look alike."""
    shown = [value for _, spread in kept for value in spread.values]
    return [
        Row(label, "yardstick", YARDSTICK, value)
        for label, value in yardsticks.items()
        if _is_near(value, shown)
    ]


def _arm_lines(kept: Sequence[tuple[Arm, Spread]], metric: Metric, *, x_title: str) -> go.Figure:
    kept = sorted(kept, key=lambda point: point[0].x)
    tint = colours([arm.series for arm, _ in kept])
    alone = len(tint) == len(kept)
    traces = [
        _series([point for point in kept if point[0].series == name], metric, colour)
        for name, colour in tint.items()
    ]
    several = [(arm, spread) for arm, spread in kept if spread.sd is not None]
    dots = [(arm.x, value) for arm, spread in several for value in spread.values]
    traces.append(seeds([x for x, _ in dots], [y for _, y in dots]))
    figure = _lines(traces, x_title=x_title, y_title=metric.axis)
    xs = [arm.x for arm, _ in kept]
    log = min(xs) > 0 and max(xs) > LOG_FROM * min(xs)
    _scaled(figure, xs, log=log)
    if alone:
        _name_points(figure, kept, log=log)
    return figure.update_layout(showlegend=not alone)


def _series(points: Sequence[tuple[Arm, Spread]], metric: Metric, colour: str) -> go.Scatter:
    name = points[0][0].series
    return go.Scatter(
        x=[arm.x for arm, _ in points], y=[spread.mean for _, spread in points], name=name,
        mode="lines+markers", line={"color": colour}, marker={"size": 9}, showlegend=True,
        error_y=whiskers([spread.sd for _, spread in points]),
        text=[arm.label for arm, _ in points],
        hovertemplate=f"%{{text}}: %{{y:.{metric.digits}f}}<extra>{name}</extra>",
    )  # fmt: skip


def _name_points(figure: go.Figure, kept: Sequence[tuple[Arm, Spread]], *, log: bool) -> None:
    """Labels beside the markers: of near ones the highest above, the lowest below, others right."""
    low, high = figure.layout.xaxis.range
    places = [((math.log10(arm.x) if log else arm.x) - low) / (high - low) for arm, _ in kept]
    for index, (arm, spread) in enumerate(kept):
        place = places[index]
        near = [kept[k][1].mean for k, other in enumerate(places) if abs(other - place) < 0.25]
        beside = min(near) < spread.mean < max(near)
        above = spread.mean == max(near)
        left = place < 0.35 or (beside and place < 0.65)
        figure.add_annotation(
            text=arm.label, x=low + place * (high - low), y=spread.mean, showarrow=False,
            font={"size": 13}, xshift=(10 if left else -10) if beside else 0,
            xanchor="left" if left else "right" if place > 0.65 or beside else "center",
            yanchor="middle" if beside else "bottom" if above else "top",
            yshift=0 if beside else 7 if above else -7,
        )  # fmt: skip


def _lines(traces: Sequence[go.Scatter], *, x_title: str, y_title: str) -> go.Figure:
    if not traces:
        return nothing()
    figure = sheet(traces, height=_LINE_PX, right=14)
    figure.update_xaxes(title_text=x_title)
    figure.update_yaxes(title_text=y_title, title_standoff=6, nticks=7)
    return figure


def _scaled(figure: go.Figure, xs: Sequence[float], *, log: bool) -> go.Figure:
    """With a tick at each x that is far enough from the last, and a margin for markers."""
    if not xs:
        return figure
    places = {x: math.log10(x) if log else x for x in sorted(set(xs))}
    low, high = min(places.values()), max(places.values())
    span = (high - low) or abs(high) or 1.0
    ticks: list[float] = []
    for x, place in places.items():
        if not ticks or place - places[ticks[-1]] >= 0.13 * span:
            ticks.append(x)
    figure.update_xaxes(
        type="log" if log else "linear", range=[low - 0.06 * span, high + 0.06 * span],
        tickvals=ticks, ticktext=[_short(x) for x in ticks],
    )  # fmt: skip
    return figure


def _short(number: float) -> str:
    """8M, 35k, 0.5: as short as a tick must be."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:g}" if number == round(number) else f"{number:.3g}"


def _place(name: str, labels: Mapping[str, str]) -> int:
    return list(labels).index(name) if name in labels else len(labels)
