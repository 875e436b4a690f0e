"""The waveform field: `sound(config, params, seconds)` is pure; nothing is kept between calls."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import SoundFieldConfig
from hyperdemo.inr.mlp import check_shapes, run_mlp
from hyperdemo.inr.params import InrParams


def angular_frequencies(config: SoundFieldConfig) -> Float[Tensor, " f"]:
    """The encoding's frequencies in radians a second, evenly or log-spaced."""
    low, high = config.min_freq_hz, config.max_freq_hz
    if config.spacing == "log":
        hz = torch.logspace(math.log10(low), math.log10(high), config.n_freqs)
    else:
        hz = torch.linspace(low, high, config.n_freqs)
    return 2 * math.pi * hz


def encode_time(
    config: SoundFieldConfig, seconds: Float[Tensor, "b n"]
) -> Float[Tensor, "b n e"]:
    """Time in [-1, 1] over the stretch, then sines, then cosines: e = 1 + 2·n_freqs."""
    freqs = angular_frequencies(config).to(seconds)
    angles = seconds[..., None] * freqs
    share = seconds[..., None] * (2.0 / config.stretch_s)
    return torch.cat([share, torch.sin(angles), torch.cos(angles)], dim=-1)


def sound(
    config: SoundFieldConfig, params: InrParams, seconds: Float[Tensor, "b n"]
) -> Float[Tensor, "b n"]:
    """Amplitudes of b waveforms, each at its own n times.

    Args:
        config: shape and scales of the field.
        params: weights of b fields.
        seconds: time from the middle of the stretch, in [-stretch_s/2, stretch_s/2].

    Returns:
        Amplitude; full scale is ±1, beyond which nothing holds the network back.

    Raises:
        ValueError: the weights are of another shape than the configuration says.
    """
    check_shapes(params, config.layer_shapes)
    return config.scale * run_mlp(params, encode_time(config, seconds))[..., 0]
