"""Weight tokens, heads and base parameters: encoded tokens in, the weights of an INR out.

The paper's Eq. 1–2 (arXiv 2503.00838, after Trans-INR, arXiv 2208.02801): the encoder's outputs
at the weight tokens are grouped by INR layer; a head a layer (LayerNorm + Linear) turns each
token into a mask over the layer's input axis, which gates the base weights of one group of
outputs; the product is L2-normalised over the input axis. Biases are learned and shared.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hyperdemo.config import ModelConfig
from hyperdemo.inr.params import InrParams


class WeightHeads(nn.Module):
    """From encoded weight tokens to `InrParams`.

    Token k of a layer with g tokens and o outputs gates the outputs k·o/g … (k+1)·o/g − 1.

    Args:
        dim: width of the encoded tokens.
        config: shapes of the INR and the groups of each of its layers.
    """

    def __init__(self, dim: int, config: ModelConfig):
        super().__init__()
        shapes = config.field.layer_shapes
        self.groups = config.groups
        # The scale of DINOv2's patch embeddings: at a tenth of it all tokens come out of the
        # encoder alike, at three times it they no longer listen to the picture.
        self.tokens = nn.Parameter(torch.randn(sum(self.groups), dim) * 0.15)
        self.base = nn.ParameterList(
            nn.Parameter(torch.randn(inputs, outputs) / math.sqrt(inputs))
            for inputs, outputs in shapes
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(outputs)) for _, outputs in shapes)
        self.heads = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, inputs)) for inputs, _ in shapes
        )
        with torch.no_grad():
            # Masks start round one: the first INR is the base INR, lightly modulated.
            for head in self.heads:
                head[1].bias.fill_(1.0)
            self.biases[-1].copy_(torch.tensor(config.field.output_bias))

    def matrices(self) -> list[nn.Parameter]:
        """The matrices between encoded tokens and the INR: heads and base weights."""
        return [*(head[1].weight for head in self.heads), *self.base]

    def forward(self, encoded: Float[Tensor, "b m d"]) -> InrParams:
        """Weights of b INRs from the m encoded weight tokens of each."""
        weights, start = [], 0
        for base, head, groups in zip(self.base, self.heads, self.groups, strict=True):
            mask = head(encoded[:, start : start + groups]).transpose(1, 2)
            mask = mask.repeat_interleave(base.shape[1] // groups, dim=2)
            weights.append(F.normalize(base * mask, dim=1))
            start += groups
        biases = tuple(bias.expand(len(encoded), -1) for bias in self.biases)
        return InrParams(tuple(weights), biases)
