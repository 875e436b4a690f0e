"""Weight tokens, heads and base parameters: encoded tokens in, modulated INRs out.

The paper's Eq. 1–2 (arXiv 2503.00838, after Trans-INR, arXiv 2208.02801): the encoder's outputs
at the weight tokens are grouped by INR layer; one head per layer (LayerNorm + Linear) turns each
token into a mask over the layer's input axis, which gates the base weights of one group of
outputs; the product is L2-normalised over the input axis. Biases are learned and shared.

Instance pattern composers (Kim et al., arXiv 2211.13223) write the second layer alone: a token
gives a column of its first factor; the second factor and all other layers are learned and shared.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperdemo.config import COMPOSED_LAYER, ModelConfig
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

    def __init__(self, dim: int, config: ModelConfig, *, clock: Float[Tensor, "k d"] | None = None):
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
        self.shifts = nn.ModuleList()
        if config.biases == "generated":
            self.shifts.extend(
                nn.Linear(dim, outputs // groups)
                for (_, outputs), groups in zip(shapes, self.groups, strict=True)
            )
        with torch.no_grad():
            # Masks start round one: the first INR is the base INR, lightly modulated.
            for head in self.heads:
                head[1].bias.fill_(1.0)
            for shift in self.shifts:
                shift.weight.zero_()
                shift.bias.zero_()
            self.biases[-1].copy_(torch.tensor(config.field.output_bias))

    def matrices(self) -> list[nn.Parameter]:
        """The matrices between encoded tokens and the weights of the INR: heads and base weights.

        What writes biases is not among them: weights are normalised afterwards, so that a bold
        step cannot spoil their scale, but nothing holds a bias.
        """
        return [*(head[1].weight for head in self.heads), *self.base]

    def weight_tokens(self) -> Float[Tensor, "km d"]:
        """The tokens that the encoder reads beside the data: m for each of k stretches in turn."""
        if self.positions is None:
            return self.tokens
        return (self.positions[:, None] + self.tokens).flatten(0, 1)

    def forward(self, encoded: Float[Tensor, "b km d"]) -> ModulatedInrs:
        """b·k INRs, those of one input in a row, from the encoded weight tokens."""
        encoded = encoded.unflatten(1, (-1, len(self.tokens))).flatten(0, 1)
        by_layer = [
            head[0](tokens)
            for head, tokens in zip(self.heads, encoded.split(self.groups, dim=1), strict=True)
        ]
        masks = [
            head[1](tokens).transpose(1, 2)
            for head, tokens in zip(self.heads, by_layer, strict=True)
        ]
        shifts = []
        if self.shifts:
            shifts = [
                shift(tokens).flatten(1)
                for shift, tokens in zip(self.shifts, by_layer, strict=True)
            ]
        return ModulatedInrs(
            base=tuple(self.base),
            biases=tuple(self.biases),
            masks=tuple(masks),
            gains=encoded.new_ones(len(encoded)),
            unit_output=self.unit_output,
            shifts=tuple(shifts),
        )


class PatternComposer(nn.Module):
    """From encoded weight tokens to `ModulatedInrs` of which one layer is written.

    Args:
        dim: width of the encoded tokens.
        config: shapes of the INR, and the rank of its second layer.
    """

    def __init__(self, dim: int, config: ModelConfig):
        super().__init__()
        shapes, rank = config.field.layer_shapes, config.n_groups
        inputs, _ = shapes[COMPOSED_LAYER]
        self.unit_output = config.field.unit_output
        self.tokens = nn.Parameter(torch.randn(rank, dim) * 0.15)
        rows = [rank if k == COMPOSED_LAYER else i for k, (i, _) in enumerate(shapes)]
        self.base = nn.ParameterList(
            nn.Parameter(torch.randn(n, outputs) / math.sqrt(n))
            for n, (_, outputs) in zip(rows, shapes, strict=True)
        )
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(outputs)) for _, outputs in shapes)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, inputs))
        # Encoded tokens start nearly alike: without these the factor would start at rank one.
        self.patterns = nn.Parameter(torch.randn(inputs, rank))
        with torch.no_grad():
            self.biases[-1].copy_(torch.tensor(config.field.output_bias))

    def matrices(self) -> list[nn.Parameter]:
        """The matrices between encoded tokens and the INR: head, patterns and shared factors."""
        return [self.head[1].weight, self.patterns, *self.base]

    def weight_tokens(self) -> Float[Tensor, "m d"]:
        """The tokens that the encoder reads beside the data, one for each rank."""
        return self.tokens

    def forward(self, encoded: Float[Tensor, "b m d"]) -> ModulatedInrs:
        """b INRs from the encoded weight tokens."""
        factor = self.head(encoded).transpose(1, 2) + self.patterns
        return ModulatedInrs(
            base=tuple(self.base),
            biases=tuple(self.biases),
            masks=tuple(
                factor if k == COMPOSED_LAYER else factor.new_empty(len(factor), len(base), 0)
                for k, base in enumerate(self.base)
            ),
            gains=encoded.new_ones(len(encoded)),
            unit_output=self.unit_output,
            composed=True,
        )


def build_heads(
    dim: int, config: ModelConfig, *, clock: Float[Tensor, "k d"] | None = None
) -> WeightHeads | PatternComposer:
    """What turns encoded tokens into INRs by the configured algorithm; see the two classes."""
    if config.algorithm == "ipc":
        return PatternComposer(dim, config)
    return WeightHeads(dim, config, clock=clock)
