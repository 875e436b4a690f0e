"""Weight tokens, heads and base parameters: encoded tokens in, modulated INRs out.

The paper's Eq. 1–2 (arXiv 2503.00838, after Trans-INR, arXiv 2208.02801): the encoder's outputs
at the weight tokens are grouped by INR layer; a head a layer (LayerNorm + Linear) turns each
token into a mask over the layer's input axis, which gates the base weights of one group of
outputs; the product is L2-normalised over the input axis. Biases are learned and shared.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperdemo.config import ModelConfig
from hyperdemo.inr.modulation import ModulatedInrs


class WeightHeads(nn.Module):
    """From encoded weight tokens to `ModulatedInrs`.

    Where one input is written as k INRs, each of a stretch of time (locality-aware modulation,
    Lee et al. 2023), all k share tokens, heads and base weights; a learned position is added to
    the tokens of each.

    Args:
        dim: width of the encoded tokens.
        config: shapes of the INR and the groups of each of its layers.
        clock: where the positions of the k stretches start.
    """

    def __init__(
        self, dim: int, config: ModelConfig, *, clock: Float[Tensor, "k d"] | None = None
    ):
        super().__init__()
        shapes = config.field.layer_shapes
        self.groups = config.groups
        self.unit_output = config.field.unit_output
        # The scale of DINOv2's patch embeddings: at a tenth of it all tokens come out of the
        # encoder alike, at three times it they no longer listen to the picture.
        self.tokens = nn.Parameter(torch.randn(sum(self.groups), dim) * 0.15)
        self.positions = None if clock is None else nn.Parameter(clock.clone())
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

    def weight_tokens(self) -> Float[Tensor, "km d"]:
        """The tokens that the encoder reads beside the data: m for each of k stretches in turn."""
        if self.positions is None:
            return self.tokens
        return (self.positions[:, None] + self.tokens).flatten(0, 1)

    def forward(self, encoded: Float[Tensor, "b km d"]) -> ModulatedInrs:
        """b·k INRs, those of one input in a row, from the encoded weight tokens."""
        encoded = encoded.unflatten(1, (-1, len(self.tokens))).flatten(0, 1)
        masks, start = [], 0
        for head, groups in zip(self.heads, self.groups, strict=True):
            masks.append(head(encoded[:, start : start + groups]).transpose(1, 2))
            start += groups
        return ModulatedInrs(
            base=tuple(self.base),
            biases=tuple(self.biases),
            masks=tuple(masks),
            gains=encoded.new_ones(len(encoded)),
            unit_output=self.unit_output,
        )
