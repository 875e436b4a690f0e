"""The radiance field: `apply(config, params, points)` is pure; nothing is kept between calls."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from hyperdemo.config import FieldConfig
from hyperdemo.inr.mlp import RELU_GAIN, check_shapes, run_mlp
from hyperdemo.inr.params import InrParams

Field = Callable[[Float[Tensor, "n 3"]], tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]]
"""What renderers take. One that also has `at_nodes`, as `RadianceField` does, is baked faster."""

# Points at a time: their activations stay in a core's cache, or fill a GPU.
_CHUNK, _CHUNK_ON_GPU = 4096, 2**18


def frequencies(config: FieldConfig) -> Float[Tensor, " f"]:
    """Angular frequencies π·2**k per unit, k evenly spaced from 0 to `max_log2_freq`."""
    return math.pi * 2.0 ** torch.linspace(0.0, config.max_log2_freq, config.n_freqs)


def fourier_features(
    coords: Float[Tensor, "... c"], freqs: Float[Tensor, " f"]
) -> Float[Tensor, "... e"]:
    """Positional encoding (Mildenhall et al. 2020, Eq. 4), log-spaced as in Trans-INR.

    Coordinates, then their sines, then their cosines: e = c + 2·c·f. Within the sines (and the
    cosines) the order is coordinate-major: all frequencies of x, then of y, then of z.
    """
    angles = (coords[..., None] * freqs).flatten(-2)
    return torch.cat([coords, torch.sin(angles), torch.cos(angles)], dim=-1)


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
    encoded = fourier_features(points, frequencies(config).to(points))
    # A caller may have the matrix products in half precision; what comes after is not for it.
    out = run_mlp(params, encoded).to(points.dtype)
    density = config.density_scale * F.softplus(out[..., 0])
    return density, torch.sigmoid(out[..., 1:])


def as_field(config: FieldConfig, params: InrParams) -> RadianceField:
    """One INR as the callable that renderers take.

    Raises:
        ValueError: `params` holds more than one INR, or one of another shape.
    """
    return RadianceField(config, params)


class RadianceField:
    """One INR, laid out for evaluation at very many points; the same function as `apply`.

    Points go through in parts that stay in the cache, the gain of the ReLU is folded into the
    weights, and on a grid the first layer needs no multiplication at all: it is linear in the
    encoding, whose every number depends on one coordinate, so it is the sum of three rows, of
    tables made once per axis. No gradient flows through it.
    """

    @torch.no_grad()
    def __init__(self, config: FieldConfig, params: InrParams):
        if len(params) != 1:
            raise ValueError(f"a single INR expected, got a batch of {len(params)}")
        check_shapes(params, config.layer_shapes)
        self.config, self.params = config, params
        weights = [w[0].detach() for w in params.weights]
        self._weights = [weights[0], *(w * RELU_GAIN for w in weights[1:])]
        self._biases = [bias[0].detach() for bias in params.biases]
        self._freqs = frequencies(config).to(weights[0])
        self._chunk = _CHUNK if weights[0].device.type == "cpu" else _CHUNK_ON_GPU

    @torch.no_grad()
    def __call__(
        self, points: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """Density in 1/world unit and RGB in [0, 1] at points of the world."""
        return self._in_parts(points, self._first_layer)

    @torch.no_grad()
    def at_nodes(
        self, axis: Float[Tensor, " r"], nodes: Int[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        """Density and colour at nodes of a grid: node (i, j, k) is (axis[i], axis[j], axis[k])."""
        tables = self._tables(axis)
        first_rows = torch.arange(3, device=nodes.device) * len(axis)

        def first_layer(part: Int[Tensor, "m 3"]) -> Float[Tensor, "m w"]:
            return F.embedding_bag(part + first_rows, tables, mode="sum")

        return self._in_parts(nodes, first_layer)

    def _in_parts(
        self, where: Tensor, first_layer: Callable[[Tensor], Tensor]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, "n 3"]]:
        out = self._biases[0].new_empty(len(where), 4)
        for start in range(0, len(where), self._chunk):
            part = slice(start, start + self._chunk)
            hidden = first_layer(where[part])
            for w, bias in zip(self._weights[1:], self._biases[1:], strict=True):
                hidden = torch.addmm(bias, hidden.relu_(), w)
            out[part] = hidden
        density = self.config.density_scale * F.softplus(out[:, 0])
        return density, torch.sigmoid(out[:, 1:])

    def _first_layer(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n w"]:
        # Features lie in rows here, so that sines and cosines are written in place.
        n_angles = 3 * len(self._freqs)
        encoded = points.new_empty(3 + 2 * n_angles, len(points))
        encoded[:3] = points.t()
        angles = (encoded[:3, None] * self._freqs[:, None]).flatten(0, 1)
        torch.sin(angles, out=encoded[3 : 3 + n_angles])
        torch.cos(angles, out=encoded[3 + n_angles :])
        return torch.addmm(self._biases[0], encoded.t(), self._weights[0])

    def _tables(self, axis: Float[Tensor, " r"]) -> Float[Tensor, "3*r w"]:
        """What each coordinate of a node adds to the first layer; x brings the bias along."""
        angles = axis[:, None] * self._freqs
        features = torch.cat([axis[:, None], torch.sin(angles), torch.cos(angles)], dim=1)
        # The first layer's rows in the order of `fourier_features`, split by coordinate.
        rows = self._weights[0]
        by_coordinate = [rows[:3, None], *rows[3:].unflatten(0, (2, 3, -1))]
        tables = features @ torch.cat(by_coordinate, dim=1)
        tables[0] += self._biases[0]
        return tables.flatten(0, 1)
