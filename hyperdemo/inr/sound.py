"""The waveform field: `sound(config, params, seconds)` is pure; nothing is kept between calls."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import fold

from hyperdemo.config import SAMPLE_RATE_HZ, SoundFieldConfig
from hyperdemo.inr.mlp import check_shapes, run_mlp
from hyperdemo.inr.params import InrParams
from hyperdemo.inr.windows import WindowPlan


def angular_frequencies(config: SoundFieldConfig) -> Float[Tensor, " f"]:
    """The encoding's frequencies in radians per second, evenly or log-spaced."""
    low, high = config.min_freq_hz, config.max_freq_hz
    if config.spacing == "log":
        hz = torch.logspace(math.log10(low), math.log10(high), config.n_freqs)
    else:
        hz = torch.linspace(low, high, config.n_freqs)
    return 2 * math.pi * hz


def sound(
    config: SoundFieldConfig, params: InrParams, seconds: Float[Tensor, "#b n"]
) -> Float[Tensor, "b n"]:
    """Amplitudes of b waveforms, each at its own n times, or all at the same.

    The network's input is time in [-1, 1] over the stretch, then its sines, then its cosines.

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
    angles = seconds[..., None] * angular_frequencies(config).to(seconds)
    share = seconds[..., None] * (2.0 / config.stretch_s)
    encoded = torch.cat([share, torch.sin(angles), torch.cos(angles)], dim=-1)
    return config.scale * run_mlp(params, encoded.expand(len(params), -1, -1))[..., 0]


def stretch_plan(config: SoundFieldConfig, n_stretches: int) -> WindowPlan:
    """When each of consecutive stretches starts, and how they are faded into each other."""
    return WindowPlan(
        n_stretches,
        window_s=Fraction(config.stretch, SAMPLE_RATE_HZ),
        overlap_s=Fraction(config.overlap, SAMPLE_RATE_HZ),
    )


def sound_of_stretches(
    config: SoundFieldConfig, params: InrParams, *, n_stretches: int
) -> Float[Tensor, "b n"]:
    """Waveforms at 16 kHz of b sounds, each written as k consecutive stretches.

    Args:
        config: shape and scales of the fields.
        params: weights of b·k fields, those of one sound in a row.
        n_stretches: k.

    Returns:
        n = (k - 1)·(stretch - overlap) + stretch samples, faded from stretch to stretch as
        `WindowPlan.join` does it.
    """
    plan = stretch_plan(config, n_stretches)
    device = params.weights[0].device
    seconds = plan.coordinates(0, rate_hz=SAMPLE_RATE_HZ).to(device) * (config.stretch_s / 2)
    waves = sound(config, params, seconds[None]).unflatten(0, (-1, n_stretches))
    waves = waves * plan.weights(rate_hz=SAMPLE_RATE_HZ).to(device)
    # `fold` adds up what overlaps, for all sounds at once and with a gradient.
    n, hop = plan.n_samples(rate_hz=SAMPLE_RATE_HZ), config.stretch - config.overlap
    return fold(
        waves.transpose(1, 2), output_size=(1, n), kernel_size=(1, config.stretch), stride=(1, hop)
    )[:, 0, 0]
