"""Positional encoding (Mildenhall et al. 2020, Eq. 4), log-spaced as in Trans-INR."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def frequencies(n_freqs: int, max_log2_freq: float) -> Float[Tensor, " f"]:
    """Angular frequencies π·2**k in radians a unit, k evenly spaced from 0 to `max_log2_freq`."""
    return math.pi * 2.0 ** torch.linspace(0.0, max_log2_freq, n_freqs)


def fourier_features(
    coords: Float[Tensor, "... c"], freqs: Float[Tensor, " f"]
) -> Float[Tensor, "... e"]:
    """Coordinates, then their sines, then their cosines: e = c + 2·c·f.

    Within the sines (and the cosines) the order is coordinate-major: all frequencies of x, then
    of y, then of z.
    """
    angles = (coords[..., None] * freqs).flatten(-2)
    return torch.cat([coords, torch.sin(angles), torch.cos(angles)], dim=-1)
