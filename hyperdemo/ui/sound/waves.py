"""Small pictures of example clips: their waveforms, in the colour of the words beside them."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hyperdemo.media.audio import decode_audio, mix_to_mono

BARS = 40


def bars_of(samples: Float[np.ndarray, " n"], *, n_bars: int = BARS) -> Float[np.ndarray, " b"]:
    """How loud each stretch of a sound is: its largest amplitude, the loudest of all being 1."""
    peaks = np.array([np.abs(part).max(initial=0.0) for part in np.array_split(samples, n_bars)])
    return peaks / max(peaks.max(), 1e-9)


def wave_svg(bars: Float[np.ndarray, " b"]) -> str:
    """Bars about a middle line, 3 units apart and 20 high."""
    halves = np.maximum(0.8, 9.5 * bars)
    strokes = "".join(f"M{3 * k + 1.5} {10 - h:.1f}v{2 * h:.1f}" for k, h in enumerate(halves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {3 * len(bars)} 20" '
        f'preserveAspectRatio="none"><path d="{strokes}" stroke="#000" stroke-width="2"/></svg>'
    )


def waves_css(sounds: Sequence[Path], selector: str) -> str:
    """Rules that lay the waveform of the k-th file over what stands before the k-th element."""
    rules = []
    for k, path in enumerate(sounds, start=1):
        svg = wave_svg(bars_of(mix_to_mono(decode_audio(path))))
        url = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
        rules.append(f'{selector}:nth-of-type({k})::before {{ mask-image: url("{url}"); }}')
    return "\n".join(rules)
