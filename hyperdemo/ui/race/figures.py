"""How a race stands, as a figure, as pictures and in words."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from jaxtyping import Float, UInt8

from hyperdemo.learn.race import Lap
from hyperdemo.media import encode_png
from hyperdemo.metrics.paired import Paired, paired_difference
from hyperdemo.ui.evidence.canvas import PRETRAINED, SCRATCH, sheet

LABELS = {"pretrained": "Pretrained encoder", "random": "Random encoder"}
COLOURS = {"pretrained": PRETRAINED, "random": SCRATCH}
CURVES_HEIGHT = 300


def curves(laps: Sequence[Lap], *, last: int) -> go.Figure:
    """PSNR on held-out objects over the steps of a race of so many."""
    traces = [
        go.Scatter(
            x=[lap.step for lap in laps],
            y=[float(lap.psnr[arm].mean()) for lap in laps],
            name=label, mode="lines+markers", line={"color": COLOURS[arm], "width": 3},
            cliponaxis=False,
            hovertemplate="%{y:.2f} dB after %{x:,} steps<extra>" + label + "</extra>",
        )
        for arm, label in LABELS.items()
    ]  # fmt: skip
    figure = sheet(traces, height=CURVES_HEIGHT, right=10)
    figure.update_xaxes(title="steps", range=[0, last])
    figure.update_yaxes(title="PSNR on held-out objects (dB)", showticklabels=bool(laps))
    return figure


def gap(lap: Lap) -> Paired:
    """By how much the pretrained arm is ahead, in dB, object by object."""
    return paired_difference(lap.psnr["pretrained"].tolist(), lap.psnr["random"].tolist())


def verdict(lap: Lap) -> str:
    """How the race stands, or how it ended, as Markdown."""
    paired = gap(lap)
    scores = " and ".join(
        f"{lap.psnr[arm].mean():.2f} dB ({label.lower()})" for arm, label in LABELS.items()
    )
    ahead = paired.ahead(higher=True)
    winner = {1: "The pretrained encoder is ahead", -1: "The random encoder is ahead", 0: "Level"}
    lead = f"{abs(paired.mean):.2f}" if ahead else f"{paired.mean:+.2f}".replace("-", "−")
    return (
        f"**{'After' if lap.over else 'So far,'} {lap.step:,} steps: {winner[ahead].lower()}"
        f"{' by' if ahead else ','} {lead} ± {paired.stderr or 0:.2f} dB**, on "
        f"{paired.better} of {paired.n} objects that neither has seen: {scores}."
    )


def gallery(
    lap: Lap,
    inputs: UInt8[np.ndarray, "v s s 3"],
    truth: UInt8[np.ndarray, "v h h 3"],
) -> str:
    """Held-out objects, one below the other: what goes in, the truth, and both answers; HTML."""
    columns = {"What goes in": inputs, "The truth, elsewhere": truth}
    columns |= {label: _bytes(lap.pictures[arm].numpy()) for arm, label in LABELS.items()}
    head = "".join(f'<th scope="col">{name}</th>' for name in columns)
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{_picture(pictures[k], name)}</td>" for name, pictures in columns.items())
        + "</tr>"
        for k in range(len(truth))
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _bytes(pictures: Float[np.ndarray, "v h h 3"]) -> UInt8[np.ndarray, "v h h 3"]:
    return np.rint(255 * pictures).astype(np.uint8)


def _picture(rgb: UInt8[np.ndarray, "h h 3"], name: str) -> str:
    data = base64.b64encode(encode_png(rgb)).decode()
    return f'<img src="data:image/png;base64,{data}" alt="{name}">'
