"""Dots with whiskers: a row each, its label on the left, its number on the right."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from hyperdemo.results.measured import Metric
from hyperdemo.ui.evidence.canvas import nothing, seeds, sheet, whiskers

ROW_PX, GAP_ROWS = 24, 0.6
LABEL_CHARS = 19
LEGEND_CHAR_PX = 10


@dataclass(frozen=True)
class Row:
    """One dot: its `spread` is half its whisker, its `dots` are single values; a hollow one is of
    another split than the one that is looked at."""

    label: str
    series: str
    colour: str
    value: float
    spread: float | None = None
    dots: tuple[float, ...] = ()
    hollow: bool = False


def positions(rows: Sequence[Row]) -> tuple[list[float], dict[str, float]]:
    """Heights of the rows, from the top down, and of the labels of their groups."""
    groups: dict[str, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(row.label, []).append(index)
    heights, ticks, at = [0.0] * len(rows), {}, 0.0
    for label, members in groups.items():
        for index in members:
            heights[index] = at
            at += 1
        ticks[label] = at - (len(members) + 1) / 2
        at += GAP_ROWS
    return heights, ticks


def rows_figure(rows: Sequence[Row], metric: Metric, *, legend: Mapping[str, str]) -> go.Figure:
    """Dots in groups that share a label.

    Args:
        rows: from the top down.
        metric: what they measure.
        legend: colour a series; {} for no legend.
    """
    if not rows:
        return nothing()
    heights, ticks = positions(rows)
    traces = [_trace(rows, heights, metric), _singles(rows, heights), *_keys(rows, legend)]
    height = round((max(heights) + 1 + GAP_ROWS) * ROW_PX)
    top = 34 if legend else 8
    figure = sheet(traces, height=height + 58 + top, right=112, top=top)
    figure.update_xaxes(range=_reach(rows), nticks=4, tickangle=0, title_text=metric.axis)
    figure.update_yaxes(
        range=[max(heights) + 0.5 + GAP_ROWS / 2, -0.5 - GAP_ROWS / 2],
        showgrid=False, ticklabelstandoff=6, tickvals=list(ticks.values()),
        ticktext=[_wrapped(label) for label in ticks],
    )  # fmt: skip
    # Wide enough for longer words of other languages.
    width = LEGEND_CHAR_PX * max(map(len, legend), default=0)
    return figure.update_layout(
        annotations=_numbers(rows, heights, metric), legend_entrywidth=width or None
    )


def _reach(rows: Sequence[Row]) -> list[float]:
    """Ends of the axis, with a little room beyond the last whisker on each side."""
    ends = [row.value + sign * (row.spread or 0) for row in rows for sign in (-1, 1)]
    ends += [dot for row in rows for dot in row.dots]
    low, high = min(ends), max(ends)
    room = 0.06 * ((high - low) or abs(high) or 1.0)
    return [low - room, high + room]


def _keys(rows: Sequence[Row], legend: Mapping[str, str]) -> list[go.Scatter]:
    """Each stands for its series in the legend, and for nothing on the axes."""
    hollow = {row.series for row in rows if row.hollow}
    return [
        go.Scatter(
            x=[None], y=[None], mode="markers", name=name, showlegend=True,
            marker={"color": colour, "size": 10, "symbol": _symbol(name in hollow),
                    "line": {"width": 2 if name in hollow else 0}},
        )
        for name, colour in legend.items()
    ]  # fmt: skip


def _symbol(hollow: bool) -> str:
    return "circle-open" if hollow else "circle"


def _trace(rows: Sequence[Row], heights: Sequence[float], metric: Metric) -> go.Scatter:
    return go.Scatter(
        x=[row.value for row in rows], y=list(heights), mode="markers",
        marker={"color": [row.colour for row in rows], "size": 11,
                "symbol": [_symbol(row.hollow) for row in rows],
                "line": {"width": [2 if row.hollow else 0 for row in rows]}},
        error_x=whiskers([row.spread for row in rows]), showlegend=False,
        text=[", ".join(filter(None, [row.label, row.series])) for row in rows],
        hovertemplate="%{text}: %{x:." + str(metric.digits) + "f}<extra></extra>",
    )  # fmt: skip


def _singles(rows: Sequence[Row], heights: Sequence[float]) -> go.Scatter:
    pairs = [(v, height) for row, height in zip(rows, heights, strict=True) for v in row.dots]
    return seeds([value for value, _ in pairs], [height for _, height in pairs])


def _numbers(rows: Sequence[Row], heights: Sequence[float], metric: Metric) -> list[dict[str, Any]]:
    """The values as a column on the right, where no whisker crosses them."""
    return [
        {
            "text": metric.text(row.value)
            + (f" ± {metric.text(row.spread)}" if row.spread is not None else ""),
            "x": 1.0, "xref": "paper", "xanchor": "left", "xshift": 6, "y": height,
            "showarrow": False, "font": {"size": 13}, "opacity": 0.75 if row.hollow else 1.0,
        }
        for row, height in zip(rows, heights, strict=True)
    ]  # fmt: skip


def _wrapped(label: str) -> str:
    return "<br>".join(textwrap.wrap(label, LABEL_CHARS)) or label
