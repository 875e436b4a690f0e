"""Generated weights as values: what the hypernetwork returns and the field consumes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class InrParams:
    """The weights of a batch of b MLPs of the same shape.

    Attributes:
        weights: one `[b, inputs, outputs]` tensor per layer, which computes `x @ W + bias`.
        biases: one `[b, outputs]` tensor per layer.

    Raises:
        ValueError: the tensors do not chain into one MLP.
    """

    weights: tuple[Float[Tensor, "b _i _o"], ...]
    biases: tuple[Float[Tensor, "b _o"], ...]

    def __post_init__(self) -> None:
        if not self.weights or len(self.weights) != len(self.biases):
            raise ValueError(
                f"as many biases as weights expected, got {len(self.biases)} for "
                f"{len(self.weights)} layers"
            )
        inputs = self.weights[0].shape[1]
        for layer, (w, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if w.shape[1] != inputs or bias.shape != (w.shape[0], w.shape[2]):
                raise ValueError(
                    f"layer {layer}: a weight [b, {inputs}, outputs] with its bias expected, got "
                    f"{tuple(w.shape)} with {tuple(bias.shape)}"
                )
            inputs = w.shape[2]

    def __len__(self) -> int:
        """Number of INRs in the batch."""
        return self.weights[0].shape[0]

    def __getitem__(self, index: int) -> InrParams:
        """One INR of the batch, as a batch of one."""
        index = range(len(self))[index]
        keep = slice(index, index + 1)
        return InrParams(tuple(w[keep] for w in self.weights), tuple(b[keep] for b in self.biases))

    def detach(self) -> InrParams:
        return InrParams(
            tuple(w.detach() for w in self.weights), tuple(b.detach() for b in self.biases)
        )

    def cpu(self) -> InrParams:
        return InrParams(tuple(w.cpu() for w in self.weights), tuple(b.cpu() for b in self.biases))

    @property
    def n_parameters(self) -> int:
        """Parameters of one INR."""
        return sum(t[0].numel() for t in (*self.weights, *self.biases))

    def tensors(self) -> dict[str, Tensor]:
        """Flat names for storage: `layers.0.weight`, `layers.0.bias`, …"""
        named: dict[str, Tensor] = {}
        for layer, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            named[f"layers.{layer}.weight"] = w
            named[f"layers.{layer}.bias"] = b
        return named

    @classmethod
    def from_tensors(cls, named: Mapping[str, Tensor]) -> InrParams:
        """Inverse of `tensors`.

        Raises:
            ValueError: a name is missing or unknown.
        """
        depth = len(named) // 2
        try:
            weights = tuple(named[f"layers.{layer}.weight"] for layer in range(depth))
            biases = tuple(named[f"layers.{layer}.bias"] for layer in range(depth))
        except KeyError as missing:
            raise ValueError(f"the stored INR lacks {missing}; it has {sorted(named)}") from missing
        if len(named) != 2 * depth:
            raise ValueError(f"unexpected tensors in the stored INR: {sorted(named)}")
        return cls(weights, biases)
