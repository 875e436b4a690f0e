"""A whole sound as networks, and its evaluation at any rate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import SoundFieldConfig
from hyperdemo.inr.modulation import ModulatedInrs
from hyperdemo.inr.sound import sound, stretch_plan
from hyperdemo.preprocess.windows import WindowJoiner, WindowPlan

# Encoded coordinates that are in memory at once, 32 MB of them: at 192 kHz a window has 70 times
# as many.
_MAX_ENCODED = 8_000_000


@dataclass(frozen=True)
class WrittenSound:
    """The networks of a clip, one for each stretch of it.

    Attributes:
        config: of the fields.
        inrs: those of all stretches in a row; together they reach past the end of the clip.
        n_samples: of the clip, at its own rate.
        rate_hz: that rate.
    """

    config: SoundFieldConfig
    inrs: ModulatedInrs
    n_samples: int
    rate_hz: int

    @property
    def plan(self) -> WindowPlan:
        """When the stretches start, and how they are faded into each other."""
        return stretch_plan(self.config, len(self.inrs))

    def n_samples_at(self, rate_hz: int) -> int:
        """Samples that fall into the time of the clip at another rate."""
        return math.ceil(Fraction(self.n_samples * rate_hz, self.rate_hz))


def stretch_waves(
    config: SoundFieldConfig,
    inrs: ModulatedInrs,
    plan: WindowPlan,
    *,
    first: int,
    rate_hz: int,
) -> Iterator[Float[Tensor, " slots"]]:
    """Waveforms of consecutive stretches, as `WindowJoiner.push` takes them.

    Args:
        config: of the fields.
        inrs: of stretch `first` and those after it.
        plan: of all stretches of the sound.
        first: number of the first one.
        rate_hz: any rate; what lies above half of the training rate of 16 kHz was never heard.
    """
    size = plan.window_samples(rate_hz=rate_hz) * config.encoded_dim
    count = max(1, _MAX_ENCODED // size)
    device = inrs.gains.device
    for start in range(0, len(inrs), count):
        part = inrs[start : start + count]
        seconds = torch.stack(
            [
                plan.coordinates(first + start + k, rate_hz=rate_hz) * (config.stretch_s / 2)
                for k in range(len(part))
            ]
        )
        yield from sound(config, part.params(), seconds.to(device))


@torch.inference_mode()
def synthesise(written: WrittenSound, *, rate_hz: int) -> Float[Tensor, " n"]:
    """The sound at any rate: n = ceil(seconds · rate_hz) samples, sample i at the time i / rate_hz.

    Raises:
        ValueError: the rate is not positive.
    """
    plan = written.plan
    joiner = WindowJoiner(plan, rate_hz=rate_hz, n=written.n_samples_at(rate_hz))
    waves = stretch_waves(written.config, written.inrs, plan, first=0, rate_hz=rate_hz)
    return torch.cat([*map(joiner.push, waves), joiner.finish()])
