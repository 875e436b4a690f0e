"""What all figures of evidence share: colours, whiskers and a sheet for light and dark pages.

Words in figures take the page's colour, by its style.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

PRETRAINED, SCRATCH = "#6366f1", "#f59e0b"
GREY = "#8590a2"  # is read on white and on black
YARDSTICK, WHISKER = GREY, GREY
FIXED = {
    "foundation": PRETRAINED, "pretrained": PRETRAINED, "INR": PRETRAINED,
    "scratch": SCRATCH, "from scratch": SCRATCH,
    "foundation-refined": "#a5a7f7", "scratch-refined": "#f9c978", "INR, transformed": "#a5a7f7",
}  # fmt: skip
_OTHERS = ("#14b8a6", "#ec4899", "#0ea5e9", "#84cc16", "#a855f7")
_GRID = "rgba(133, 144, 162, 0.25)"


def colours(series: Sequence[str]) -> dict[str, str]:
    """A colour a series: those of the two models are the same everywhere."""
    others = [name for name in dict.fromkeys(series) if name not in FIXED]
    free = {name: _OTHERS[k % len(_OTHERS)] for k, name in enumerate(others)}
    return {name: FIXED.get(name) or free[name] for name in dict.fromkeys(series)}


def sheet(traces: Sequence[Any], *, height: int, right: int, top: int = 30) -> go.Figure:
    """A figure of these traces, as high as told and as wide as there is room.

    Args:
        traces: what is drawn.
        height: in pixels.
        right: margin on the right, in pixels.
        top: margin above, where the legend stands.
    """
    axis = {"zeroline": False, "gridcolor": _GRID, "automargin": True, "fixedrange": True}
    return go.Figure(
        data=list(traces),
        layout={
            "template": "none",  # the default one is 7 kB in each figure
            "height": height,
            "margin": {"l": 10, "r": right, "t": top, "b": 44},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": GREY, "size": 14},
            "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
            "dragmode": False,  # a finger on a figure scrolls the page
            "xaxis": axis,
            "yaxis": axis,
        },
    )


def nothing() -> go.Figure:
    """In place of a figure without values."""
    figure = sheet([], height=90, right=10)
    figure.update_layout(xaxis={"visible": False}, yaxis={"visible": False})
    return figure.add_annotation(
        text="Not measured.", x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False
    )


def whiskers(spreads: Sequence[float | None]) -> dict[str, Any]:
    """Half-lengths of error bars; None for a value without one."""
    visible = any(spread is not None for spread in spreads)
    return {"type": "data", "array": list(spreads), "color": WHISKER, "thickness": 1.5, "width": 4,
            "visible": visible}  # fmt: skip


def seeds(x: list[float], y: list[float]) -> go.Scatter:
    """A small dot for each single value."""
    return go.Scatter(
        x=x, y=y, mode="markers", showlegend=False, hoverinfo="skip",
        marker={"size": 5, "color": "white", "line": {"color": "#334155", "width": 1}},
    )  # fmt: skip
