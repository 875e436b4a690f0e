"""Bars that lie: a row each, its label on the left, its number on the right."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from hyperdemo.results.measured import Metric
from hyperdemo.ui.evidence.canvas import nothing, seeds, sheet, whiskers

PALE = 0.5
BAR_PX, GAP_BARS = 21, 0.7
LABEL_CHARS = 19


@dataclass(frozen=True)
class Bar:
    """One bar: its `spread` is half its whisker, its `dots` are single values."""

    label: str
    series: str
    colour: str
    value: float
    spread: float | None = None
    dots: tuple[float, ...] = ()
    pale: bool = False


def bars_begin_at(bars: Sequence[Bar]) -> float:
    """Where the axis of bars begins: at 0, or nearer where they would all look alike.

    It is a round number half their range below the lowest, if that is more than three quarters of
    the highest.
    """
    shown = [v for bar in bars for v in (*bar.dots, bar.value - (bar.spread or 0), bar.value)]
    low, high = min(shown), max(shown)
    if low <= 0.75 * high or low == high:
        return 0.0
    step = 10.0 ** math.floor(math.log10(high - low))
    return max(0.0, math.floor((low - (high - low) / 2) / step) * step)


def positions(bars: Sequence[Bar]) -> tuple[list[float], dict[str, float]]:
    """Heights of the bars, from the top down, and of the labels of their groups."""
    groups: dict[str, list[int]] = {}
    for index, bar in enumerate(bars):
        groups.setdefault(bar.label, []).append(index)
    heights, ticks, at = [0.0] * len(bars), {}, 0.0
    for label, members in groups.items():
        for index in members:
            heights[index] = at
            at += 1
        ticks[label] = at - (len(members) + 1) / 2
        at += GAP_BARS
    return heights, ticks


def bars_figure(
    bars: Sequence[Bar], metric: Metric, *, legend: Mapping[str, str], begin: float
) -> go.Figure:
    """Bars in groups that share a label.

    Args:
        bars: from the top down.
        metric: what they measure.
        legend: colour a series; {} for no legend.
        begin: where the axis begins; the axis says so if that is not 0.
    """
    if not bars:
        return nothing()
    heights, ticks = positions(bars)
    traces = [_bar_trace(bars, heights, metric), _dots(bars, heights), *_keys(bars, legend)]
    height = round((max(heights) + 1 + GAP_BARS) * BAR_PX)
    top = 30 if legend else 8
    figure = sheet(traces, height=height + 54 + top, right=96, top=top)
    figure.update_xaxes(
        range=_reach(bars, begin), nticks=4, tickangle=0,
        title_text=metric.axis if begin == 0 else f"{metric.axis}, axis from {begin:g}",
    )  # fmt: skip
    figure.update_yaxes(
        range=[max(heights) + 0.5 + GAP_BARS / 2, -0.5 - GAP_BARS / 2],
        showgrid=False, ticklabelstandoff=6, tickvals=list(ticks.values()),
        ticktext=[_wrapped(label) for label in ticks],
    )  # fmt: skip
    return figure.update_layout(barmode="overlay", annotations=_numbers(bars, heights, metric))


def _reach(bars: Sequence[Bar], begin: float) -> list[float]:
    """Ends of the axis, with a little room beyond the last whisker on each side of 0."""
    ends = [bar.value + sign * (bar.spread or 0) for bar in bars for sign in (-1, 1)]
    ends += [dot for bar in bars for dot in bar.dots]
    low, high = min(begin, *ends) if begin == 0 else begin, max(begin, *ends)
    room = 0.03 * (high - low)
    return [low - room if low < 0 else low, high + room]


def _keys(bars: Sequence[Bar], legend: Mapping[str, str]) -> list[go.Bar]:
    """Each stands for its series in the legend, and for nothing on the axes."""
    pale = {bar.series for bar in bars if bar.pale}
    return [
        go.Bar(
            x=[None], y=[None], orientation="h", name=name, showlegend=True,
            marker={"color": colour}, opacity=PALE if name in pale else 1.0,
        )
        for name, colour in legend.items()
    ]  # fmt: skip


def _bar_trace(bars: Sequence[Bar], heights: Sequence[float], metric: Metric) -> go.Bar:
    return go.Bar(
        x=[bar.value for bar in bars], y=list(heights), orientation="h", width=0.82,
        marker={"color": [bar.colour for bar in bars],
                "opacity": [PALE if bar.pale else 1.0 for bar in bars]},
        error_x=whiskers([bar.spread for bar in bars]), showlegend=False,
        text=[f"{bar.label}, {bar.series}" for bar in bars], textposition="none",
        hovertemplate="%{text}: %{x:." + str(metric.digits) + "f}<extra></extra>",
    )  # fmt: skip


def _dots(bars: Sequence[Bar], heights: Sequence[float]) -> go.Scatter:
    pairs = [(v, height) for bar, height in zip(bars, heights, strict=True) for v in bar.dots]
    return seeds([value for value, _ in pairs], [height for _, height in pairs])


def _numbers(bars: Sequence[Bar], heights: Sequence[float], metric: Metric) -> list[dict[str, Any]]:
    """The values as a column on the right, where no bar or whisker crosses them."""
    return [
        {
            "text": metric.text(bar.value)
            + (f" ± {metric.text(bar.spread)}" if bar.spread is not None else ""),
            "x": 1.0, "xref": "paper", "xanchor": "left", "xshift": 6, "y": height,
            "showarrow": False, "font": {"size": 11}, "opacity": 0.75 if bar.pale else 1.0,
        }
        for bar, height in zip(bars, heights, strict=True)
    ]  # fmt: skip


def _wrapped(label: str) -> str:
    return "<br>".join(textwrap.wrap(label, LABEL_CHARS)) or label
