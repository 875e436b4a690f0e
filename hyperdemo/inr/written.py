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
from hyperdemo.inr.windows import WindowJoiner, WindowPlan

# Activations of a hidden layer that are in memory at once, 16 MB of them.
_MAX_HIDDEN = 4_000_000


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

    Where samples stand in a stretch repeats: at 16 kHz all stretches are alike, at 44.1 kHz every
    other one. Times are encoded once for all that are alike.

    Args:
        config: of the fields.
        inrs: of stretch `first` and those after it.
        plan: of all stretches of the sound.
        first: number of the first one.
        rate_hz: any rate; what lies above half of the training rate of 16 kHz was never heard.
    """
    slots = plan.window_samples(rate_hz=rate_hz)
    count = max(1, _MAX_HIDDEN // (slots * max(config.width, 2)))
    device = inrs.gains.device
    for start in range(0, len(inrs), count):
        part = inrs[start : start + count]
        waves: list[Tensor | None] = [None] * len(part)
        for numbers in _alike(plan, range(first + start, first + start + len(part)), rate_hz):
            seconds = plan.coordinates(numbers[0], rate_hz=rate_hz) * (config.stretch_s / 2)
            chosen = torch.tensor([number - first - start for number in numbers]).to(device)
            own = sound(config, part[chosen].params(), seconds[None].to(device))
            for index, wave in zip(chosen.tolist(), own, strict=True):
                waves[index] = wave
        yield from waves


def _alike(plan: WindowPlan, numbers: range, rate_hz: int) -> list[list[int]]:
    """Stretches in groups whose first samples stand equally far behind their starts."""
    groups: dict[Fraction, list[int]] = {}
    for number in numbers:
        late = plan.first_sample(number, rate_hz=rate_hz) - plan.start_s(number) * rate_hz
        groups.setdefault(late, []).append(number)
    return list(groups.values())


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
