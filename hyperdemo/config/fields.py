"""Shapes and scales of the INRs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hyperdemo.config.require import at_least, one_of, positive, require

SAMPLE_RATE_HZ = 16_000
"""Rate of all sound that a model reads or learns from; Whisper's."""

MAX_DEPTH = 64

Shapes = tuple[tuple[int, int], ...]


def _mlp_shapes(inputs: int, width: int, *, depth: int, outputs: int) -> Shapes:
    dims = [inputs] + [width] * (depth - 1) + [outputs]
    return tuple(zip(dims[:-1], dims[1:], strict=True))


def _check_depth(depth: int) -> None:
    require(2 <= depth <= MAX_DEPTH, f"depth must be from 2 to {MAX_DEPTH}, got {depth}")


class _Mlp:
    """What all fields share: they are MLPs of known shapes."""

    @property
    def layer_shapes(self) -> Shapes:
        raise NotImplementedError

    @property
    def encoded_dim(self) -> int:
        """Inputs of the first layer, the encoded coordinates."""
        return self.layer_shapes[0][0]

    @property
    def n_parameters(self) -> int:
        return sum(i * o + o for i, o in self.layer_shapes)


@dataclass(frozen=True)
class FieldConfig(_Mlp):
    """The INR: an MLP from a point in space to density and colour (NeRF without view direction).

    Attributes:
        width: units of a hidden layer.
        depth: linear layers in all, the output layer included.
        n_freqs: frequencies per coordinate of the positional encoding.
        max_log2_freq: the highest frequency is π·2**max_log2_freq radians per world unit.
        density_scale: density at a pre-activation of about one, in 1/world unit.
    """

    width: int = 128
    depth: int = 5
    n_freqs: int = 10
    max_log2_freq: float = 5.0
    density_scale: float = 25.0

    def __post_init__(self) -> None:
        at_least(4, self, "width")
        _check_depth(self.depth)
        at_least(1, self, "n_freqs")
        positive(self, "density_scale")

    @property
    def layer_shapes(self) -> Shapes:
        """(inputs, outputs) of each linear layer; the last one gives density, red, green, blue."""
        return _mlp_shapes(3 + 6 * self.n_freqs, self.width, depth=self.depth, outputs=4)

    @property
    def unit_output(self) -> bool:
        """The last layer's weights are normalised as the others'."""
        return True

    @property
    def output_bias(self) -> tuple[float, ...]:
        """Where training starts: thin haze, so that rays meet matter and also pass through."""
        return (-4.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class SoundFieldConfig(_Mlp):
    """The INR of a stretch of sound: an MLP from time to amplitude.

    Attributes:
        stretch: samples at 16 kHz that one INR holds.
        overlap: samples that it shares with the next one, over which the two are cross-faded.
        width: units of a hidden layer.
        depth: linear layers in all, the output layer included.
        n_freqs: frequencies of the encoding.
        min_freq_hz, max_freq_hz: the lowest and the highest of them.
        spacing: "linear" or "log" between these two.
        scale: amplitude at an output of one.
        unit_output: normalise the last layer's weights as the others'. Otherwise the hypernetwork
            sets the loudness of a stretch, which in speech spans 40 dB.
    """

    stretch: int = 480
    overlap: int = 80
    width: int = 64
    depth: int = 3
    n_freqs: int = 120
    min_freq_hz: float = 100 / 3
    max_freq_hz: float = 4000.0
    spacing: Literal["linear", "log"] = "linear"
    scale: float = 0.1
    unit_output: bool = False

    def __post_init__(self) -> None:
        positive(self, "stretch min_freq_hz scale")
        require(
            0 <= self.overlap and 2 * self.overlap <= self.stretch,
            f"overlap must be from 0 to half a stretch of {self.stretch}, got {self.overlap}",
        )
        at_least(4, self, "width")
        _check_depth(self.depth)
        at_least(1, self, "n_freqs")
        require(
            self.max_freq_hz >= self.min_freq_hz,
            f"max_freq_hz must be at least min_freq_hz, got {self.max_freq_hz}",
        )
        one_of(self, "spacing", "linear", "log")

    @property
    def stretch_s(self) -> float:
        """Seconds that one INR holds."""
        return self.stretch / SAMPLE_RATE_HZ

    @property
    def layer_shapes(self) -> Shapes:
        """(inputs, outputs) of each linear layer; the last one gives the amplitude."""
        return _mlp_shapes(1 + 2 * self.n_freqs, self.width, depth=self.depth, outputs=1)

    @property
    def output_bias(self) -> tuple[float, ...]:
        """Where training starts: silence."""
        return (0.0,)
