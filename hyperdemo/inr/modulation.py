"""Many INRs that share most of what they are, and are told apart by masks or factors.

The form in which a hypernetwork writes them: for the 40 networks of a second of sound it is a
fortieth of their weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from hyperdemo.inr.params import InrParams


@dataclass(frozen=True)
class ModulatedInrs:
    """n INRs of one shape.

    The weights of a layer are base ⊙ mask, each column divided by its L2 norm. A layer's mask has
    g columns; column k of it gates the outputs k·o/g … (k+1)·o/g - 1. Without columns it leaves
    the base as it is. Where INRs are composed (instance pattern composers), the weights of a layer
    are mask @ base instead, of rank g.

    Attributes:
        base: base weights of each layer; `[g, o]` of one that is composed.
        biases: of each layer, the same for all INRs.
        masks: of each layer, for each INR.
        gains: factor of each INR's output.
        unit_output: whether the last layer is divided by its norm too.
        shifts: of each layer, for each INR, what is added to the biases; nothing if empty.
        composed: whether layers with a mask are products.
    """

    base: tuple[Float[Tensor, "_k _o"], ...]
    biases: tuple[Float[Tensor, " _o"], ...]
    masks: tuple[Float[Tensor, "n _i _g"], ...]
    gains: Float[Tensor, " n"]
    unit_output: bool
    shifts: tuple[Float[Tensor, "n _o"], ...] = ()
    composed: bool = False

    def __len__(self) -> int:
        """Number of INRs."""
        return len(self.gains)

    def __getitem__(self, index: slice | Int[Tensor, " m"]) -> ModulatedInrs:
        """Some of them."""
        masks = tuple(mask[index] for mask in self.masks)
        shifts = tuple(shift[index] for shift in self.shifts)
        return replace(self, masks=masks, gains=self.gains[index], shifts=shifts)

    def louder(self, gains: Float[Tensor, " n"]) -> ModulatedInrs:
        """The same with the output of each multiplied."""
        return replace(self, gains=self.gains * gains)

    def cpu(self) -> ModulatedInrs:
        base, biases, masks, shifts = (
            tuple(t.cpu() for t in each)
            for each in (self.base, self.biases, self.masks, self.shifts)
        )
        return replace(
            self, base=base, biases=biases, masks=masks, gains=self.gains.cpu(), shifts=shifts
        )

    def params(self) -> InrParams:
        """The weights themselves, in their full precision whatever autocast says."""
        with torch.autocast(self.gains.device.type, enabled=False):
            return self._params()

    def _params(self) -> InrParams:
        weights = []
        last = len(self.base) - 1
        for layer, (base, mask) in enumerate(zip(self.base, self.masks, strict=True)):
            made = self._layer(base, mask)
            unit = self.unit_output or layer < last
            weights.append(F.normalize(made, dim=1) if unit else made)
        biases = [bias.expand(len(self), -1) for bias in self.biases]
        if self.shifts:
            biases = [bias + shift for bias, shift in zip(biases, self.shifts, strict=True)]
        weights[-1] = weights[-1] * self.gains[:, None, None]
        biases[-1] = biases[-1] * self.gains[:, None]
        return InrParams(tuple(weights), tuple(biases))

    def _layer(
        self, base: Float[Tensor, "k o"], mask: Float[Tensor, "n i g"]
    ) -> Float[Tensor, "n i o"]:
        groups = mask.shape[2]
        if not groups:
            return base.expand(len(self), -1, -1)
        if self.composed:
            return mask @ base
        return base * mask.repeat_interleave(base.shape[1] // groups, dim=2)

    @property
    def n_written(self) -> int:
        """Numbers that were written, without what all inputs share: masks, shifts and gains."""
        return sum(t.numel() for t in (*self.masks, *self.shifts)) + len(self)

    @property
    def n_shared(self) -> int:
        """Numbers that are the same for every input: base weights and biases."""
        return sum(t.numel() for t in (*self.base, *self.biases))

    @staticmethod
    def join(parts: Sequence[ModulatedInrs]) -> ModulatedInrs:
        """Those of all parts in a row; base weights and biases are the first part's.

        Raises:
            ValueError: there is no part.
        """
        if not parts:
            raise ValueError("at least one part expected, got none")
        masks, shifts = (
            tuple(torch.cat(layer) for layer in zip(*each, strict=True))
            for each in ([p.masks for p in parts], [p.shifts for p in parts])
        )
        gains = torch.cat([p.gains for p in parts])
        return replace(parts[0], masks=masks, gains=gains, shifts=shifts)
