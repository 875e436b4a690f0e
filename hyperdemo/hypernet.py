"""Weight tokens, heads and base parameters: encoded tokens in, modulated INRs out.

The paper's Eq. 1–2 (arXiv 2503.00838, after Trans-INR, arXiv 2208.02801): the encoder's outputs
at the weight tokens are grouped by INR layer; one head per layer (LayerNorm + Linear) turns each
token into a mask over the layer's input axis, which gates the base weights of one group of
outputs; the product is L2-normalised over the input axis. Biases are learned and shared.

Instance pattern composers (Kim et al., arXiv 2211.13223) generate the second layer alone: a token
gives a column of its first factor; the second factor and all other layers are learned and shared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperdemo.config import COMPOSED_LAYER, ModelConfig
from hyperdemo.inr.modulation import ModulatedInrs


class WeightHeads(nn.Module):
    """From encoded weight tokens to `ModulatedInrs`.

    Where one input becomes k INRs, one per stretch of time (locality-aware modulation, Lee et al.
    2023), all share tokens, heads and base weights; a learned position is added to the tokens of
    each.

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
        # encoder alike, at three times it they no longer depend on the picture.
        self.tokens = nn.Parameter(torch.randn(sum(self.groups), dim) * 0.15)
        self.positions = None if clock is None else nn.Parameter(clock.clone())
        self.base, self.biases = _shared_parameters(shapes, config.field.output_bias)
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
            # Masks start near one: the first INR is the base INR, lightly modulated.
            for head in self.heads:
                head[1].bias.fill_(1.0)
            for shift in self.shifts.parameters():
                shift.zero_()

    def matrices(self) -> list[nn.Parameter]:
        """The matrices between encoded tokens and the weights of the INR: heads and base weights.

        The maps to biases are not among them: weights are normalised afterwards, so that a large
        step cannot spoil their scale, but nothing bounds a bias.
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
        groups = encoded.split(self.groups, dim=1)
        normed = [head[0](tokens) for head, tokens in zip(self.heads, groups, strict=True)]
        masks = [
            head[1](tokens).transpose(1, 2) for head, tokens in zip(self.heads, normed, strict=True)
        ]
        # Without generated biases there are no shifts, and nothing for the tokens to give.
        shifts = [
            shift(tokens).flatten(1) for shift, tokens in zip(self.shifts, normed, strict=False)
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
    """From encoded weight tokens to `ModulatedInrs` of which one layer is generated.

    Args:
        dim: width of the encoded tokens.
        config: shapes of the INR, and the rank of its second layer.
    """

    def __init__(self, dim: int, config: ModelConfig):
        super().__init__()
        shapes, rank = config.field.layer_shapes, config.n_groups
        inputs, outputs = shapes[COMPOSED_LAYER]
        self.unit_output = config.field.unit_output
        self.tokens = nn.Parameter(torch.randn(rank, dim) * 0.15)
        # The second layer's base is the factor that all inputs share.
        base_shapes = list(shapes)
        base_shapes[COMPOSED_LAYER] = (rank, outputs)
        self.base, self.biases = _shared_parameters(base_shapes, config.field.output_bias)
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, inputs))
        # Encoded tokens start nearly alike: without these the factor would start at rank one.
        self.patterns = nn.Parameter(torch.randn(inputs, rank))

    def matrices(self) -> list[nn.Parameter]:
        """The matrices between encoded tokens and the INR: head, patterns and shared factors."""
        return [self.head[1].weight, self.patterns, *self.base]

    def weight_tokens(self) -> Float[Tensor, "m d"]:
        """The tokens that the encoder reads beside the data, one per rank."""
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


def _shared_parameters(
    shapes: Sequence[tuple[int, int]], output_bias: tuple[float, ...]
) -> tuple[nn.ParameterList, nn.ParameterList]:
    """Base weights and biases of all layers, which the INRs of all inputs share."""
    base = [nn.Parameter(torch.randn(i, o) / math.sqrt(i)) for i, o in shapes]
    biases = [nn.Parameter(torch.zeros(o)) for _, o in shapes[:-1]]
    biases.append(nn.Parameter(torch.tensor(output_bias)))
    return nn.ParameterList(base), nn.ParameterList(biases)


def build_heads(
    dim: int, config: ModelConfig, *, clock: Float[Tensor, "k d"] | None = None
) -> WeightHeads | PatternComposer:
    """Heads of the configured algorithm; arguments as those of the two classes."""
    if config.algorithm == "ipc":
        return PatternComposer(dim, config)
    return WeightHeads(dim, config, clock=clock)
