"""The radiance field: `apply(config, params, points)` is pure; nothing is kept between calls."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import FieldConfig
from hyperdemo.inr.encoding import fourier_features, frequencies
from hyperdemo.inr.mlp import check_shapes, run_mlp
from hyperdemo.inr.params import InrParams

Field = Callable[
    [Float[Tensor, "n 3"]], tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]
]

def apply(
    config: FieldConfig, params: InrParams, points: Float[Tensor, "b n 3"]
) -> tuple[Float[Tensor, "b n"], Float[Tensor, "b n 3"]]:
    """Density and colour of b fields, each at its own n points.

    Args:
        config: shape and scales of the field.
        params: weights of b fields.
        points: world coordinates; the object lies in the unit sphere.

    Returns:
        density in 1/world unit, at least 0, and RGB in [0, 1].

    Raises:
        ValueError: the weights are of another shape than the configuration says.
    """
    check_shapes(params, config.layer_shapes)
    freqs = frequencies(config.n_freqs, config.max_log2_freq).to(points)
    out = run_mlp(params, fourier_features(points, freqs))
    density = config.density_scale * F.softplus(out[..., 0])
    return density, torch.sigmoid(out[..., 1:])


def as_field(config: FieldConfig, params: InrParams) -> Field:
    """One INR as the callable that renderers take.

    Raises:
        ValueError: `params` holds more than one INR.
    """
    if len(params) != 1:
        raise ValueError(f"a single INR expected, got a batch of {len(params)}")

    def field(points: Float[Tensor, "n 3"]) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        density, rgb = apply(config, params, points[None])
        return density[0], rgb[0]

    return field
