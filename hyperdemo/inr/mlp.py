"""The network itself, the same for every kind of field: generated linear layers and ReLUs."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.inr.params import InrParams

# A generated column has unit norm, so a layer keeps the root mean square of its input and the
# ReLU halves its energy; √2 puts it back, and activations keep their size through the depth.
RELU_GAIN = math.sqrt(2.0)


def run_mlp(params: InrParams, encoded: Float[Tensor, "b n e"]) -> Float[Tensor, "b n o"]:
    """b MLPs, each on its own n encoded points.

    Hidden layers compute √2·relu(x @ W + bias), the last one x @ W + bias.
    """
    out = encoded
    for layer, (w, bias) in enumerate(zip(params.weights, params.biases, strict=True)):
        # The gain of the ReLU before is applied to the weights: they are far fewer than points.
        x, w = (out.relu_(), w * RELU_GAIN) if layer else (out, w)
        out = torch.baddbmm(bias[:, None], x, w)
    return out


def check_shapes(params: InrParams, shapes: tuple[tuple[int, int], ...]) -> None:
    """Hold parameters against the layers that a configuration asks for.

    Raises:
        ValueError: the weights are of another shape.
    """
    found = tuple((w.shape[1], w.shape[2]) for w in params.weights)
    if found != shapes:
        raise ValueError(f"an INR of layers {shapes} expected, got {found}")
