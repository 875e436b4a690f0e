"""Spectrograms as figures: what went in, what each model made of it, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
import torch
from jaxtyping import Float, Int8
from plotly.subplots import make_subplots

from hyperdemo.config import SAMPLE_RATE_HZ
from hyperdemo.metrics.stft import stft_power

N_FFT, HOP = 512, 160
MAX_COLUMNS, BINS = 400, 128
RANGE_DB = 80.0
"""From the loudest of the original down to what counts as silence, as on the colour scale."""
DIFFERENCE_DB = 30.0

_HIGHEST_HZ = SAMPLE_RATE_HZ / 2
_ROW_PX, _MARGINS_PX = 150, 70
_GREY = "#8590a2"  # is read on white and on black

Levels = Float[np.ndarray, "bins columns"]


def spectrogram_db(samples: Float[np.ndarray, " n"]) -> Levels:
    """Levels of a sound at 16 kHz, at most 400 columns of 128 bins from 0 to 8 kHz.

    Magnitudes under a Hann window of 32 ms every 10 ms, in dB of a sine at full scale; power is
    averaged over two bins, and over as many frames as make a column of a long sound.

    Args:
        samples: mono; less than a window is filled up with silence.
    """
    padded = np.pad(samples, (0, max(0, N_FFT - len(samples))))
    power = stft_power(torch.from_numpy(padded).double(), n_fft=N_FFT, hop=HOP).numpy()[:-1]
    power = (power / (N_FFT / 4) ** 2).reshape(BINS, -1, power.shape[1]).mean(1)
    per_column = -(-power.shape[1] // MAX_COLUMNS)
    columns = [
        power[:, start : start + per_column].mean(1)
        for start in range(0, power.shape[1], per_column)
    ]
    return 10 * np.log10(np.stack(columns, axis=1) + 1e-20)


def spectrogram_figure(
    heard: Float[np.ndarray, " n"],
    resynthesised: Mapping[str, Float[np.ndarray, " n"]],
    *,
    labels: Mapping[str, str],
) -> go.Figure:
    """The original over each model's answer, all in the colours of one scale.

    Its 0 dB is the loudest of the original.

    Args:
        heard: the clip at 16 kHz.
        resynthesised: each model's answer at 16 kHz.
        labels: shown names of the models.
    """
    original = spectrogram_db(heard)
    top = float(np.ceil(original.max()))
    rows = {"Original": original}
    rows |= {labels.get(n, n): spectrogram_db(sound) for n, sound in resynthesised.items()}
    levels = {name: np.clip(row - top, -RANGE_DB, 0) for name, row in rows.items()}
    return _stacked(
        levels, seconds=len(heard) / SAMPLE_RATE_HZ, colours="Magma",
        lowest=-RANGE_DB, highest=0.0,
    )  # fmt: skip


def difference_figure(
    heard: Float[np.ndarray, " n"],
    resynthesised: Mapping[str, Float[np.ndarray, " n"]],
    *,
    labels: Mapping[str, str],
) -> go.Figure:
    """Level of each answer minus that of the original: red is too much, blue too little.

    What lies 80 dB under the loudest of the original counts as that level in both, or silence
    would differ most. Arguments as for `spectrogram_figure`.
    """
    original = spectrogram_db(heard)
    floor = float(np.ceil(original.max())) - RANGE_DB
    original = np.maximum(original, floor)
    differences = {
        f"{labels.get(name, name)} − original": np.clip(
            np.maximum(spectrogram_db(sound), floor) - original, -DIFFERENCE_DB, DIFFERENCE_DB
        )
        for name, sound in resynthesised.items()
    }
    return _stacked(
        differences, seconds=len(heard) / SAMPLE_RATE_HZ, colours="RdBu_r",
        lowest=-DIFFERENCE_DB, highest=DIFFERENCE_DB,
    )  # fmt: skip


def _stacked(
    rows: Mapping[str, Levels], *, seconds: float, colours: str, lowest: float, highest: float
) -> go.Figure:
    # Room for a title over each row, whatever their number.
    height = len(rows) * _ROW_PX + _MARGINS_PX
    figure = make_subplots(
        rows=len(rows), cols=1, shared_xaxes=True, subplot_titles=list(rows),
        vertical_spacing=26 / (height - _MARGINS_PX),
    )  # fmt: skip
    for k, levels in enumerate(rows.values(), start=1):
        figure.add_trace(_heatmap(levels, seconds=seconds), row=k, col=1)
        figure.update_yaxes(
            title_text="kHz", range=[0, _HIGHEST_HZ / 1000], tickvals=[0, 2, 4, 6, 8], row=k, col=1
        )
    figure.update_xaxes(range=[0, seconds], showgrid=False, zeroline=False)
    figure.update_yaxes(showgrid=False, zeroline=False, title_standoff=4)
    figure.update_xaxes(title_text="seconds", title_standoff=4, row=len(rows), col=1)
    figure.update_annotations(font_size=13)
    bar = {"title": {"text": "dB"}, "thickness": 10, "outlinewidth": 0, "x": 1.01}
    figure.update_layout(
        height=height,
        margin={"l": 46, "r": 10, "t": 26, "b": 44},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _GREY, "size": 12},
        coloraxis={"colorscale": colours, "cmin": lowest, "cmax": highest, "colorbar": bar},
    )
    return figure


def _heatmap(levels: Levels, *, seconds: float) -> go.Heatmap:
    bins, columns = levels.shape
    return go.Heatmap(
        z=_whole_decibels(levels),
        x0=seconds / columns / 2,
        dx=seconds / columns,
        y0=_HIGHEST_HZ / bins / 2000,
        dy=_HIGHEST_HZ / bins / 1000,
        coloraxis="coloraxis",
        hovertemplate="%{x:.2f} s, %{y:.1f} kHz: %{z} dB<extra></extra>",
    )


def _whole_decibels(levels: Levels) -> Int8[np.ndarray, "bins columns"]:
    """A byte a pixel, an eighth of what Plotly would send; no colour tells a finer step."""
    return np.rint(levels).astype(np.int8)
