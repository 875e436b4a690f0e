"""Cut a signal into overlapping windows, and join windows by crossfades, at any rate.

A window is a span of *time*, so that the network written for it can be asked at any rate. A
`WindowPlan` holds the spans as exact fractions of a second; sample i of a signal stands at the
time i / rate_hz, and everything else follows. Nothing is ever added up, so nothing drifts, also
where a hop is no whole number of samples.

The fades have equal gain and not equal power: both windows show the same sound, so their
amplitudes, and not their powers, must sum to one.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

Seconds = int | float | Fraction


@dataclass(frozen=True)
class WindowPlan:
    """Window k spans [k · hop_s, k · hop_s + window_s) with hop_s = window_s - overlap_s.

    At each rate a window gets `window_samples` slots, the first at the first sample that is not
    before its start. Where a window is no whole number of samples, the last slot of some windows
    stands past their end, by less than a sample; it has weight 0 and the coordinate still tells
    its true time, 1 or slightly more.

    Attributes:
        n_windows: at least 1.
        window_s, overlap_s: seconds; floats become the nearest fractions with denominators up to
            a million, so 0.05 is 1/20. The overlap is at most half a window.
    """

    n_windows: int
    window_s: Seconds
    overlap_s: Seconds

    def __post_init__(self) -> None:
        for name in ("window_s", "overlap_s"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"expected finite {name}, got {getattr(self, name)}")
            exact = Fraction(getattr(self, name)).limit_denominator(1_000_000)
            object.__setattr__(self, name, exact)
        if self.n_windows < 1:
            raise ValueError(f"expected at least one window, got {self.n_windows}")
        if not 0 <= 2 * self.overlap_s <= self.window_s or self.window_s == 0:
            raise ValueError(
                "expected a window above 0 s and an overlap of at most half of it, got "
                f"{float(self.window_s):g} s and {float(self.overlap_s):g} s"
            )

    @classmethod
    def covering(cls, n: int, *, rate_hz: int, window_s: Seconds, overlap_s: Seconds) -> WindowPlan:
        """The fewest windows that reach the end of n samples, and one at least."""
        one = cls(1, window_s, overlap_s)
        rest = Fraction(n, _checked_rate(rate_hz)) - one.window_s
        return cls(1 + max(0, math.ceil(rest / one.hop_s)), window_s, overlap_s)

    @property
    def hop_s(self) -> Fraction:
        """From the start of a window to the start of the next, in seconds."""
        return self.window_s - self.overlap_s

    def start_s(self, index: int) -> Fraction:
        """When window `index` starts."""
        return index * self.hop_s

    def first_sample(self, index: int, *, rate_hz: int) -> int:
        """The sample of the joined signal that slot 0 of window `index` stands for."""
        return math.ceil(self.start_s(index) * _checked_rate(rate_hz))

    def end_sample(self, index: int, *, rate_hz: int) -> int:
        """The first sample past window `index`: samples first_sample … end_sample - 1 are its."""
        return math.ceil((self.start_s(index) + self.window_s) * _checked_rate(rate_hz))

    def window_samples(self, *, rate_hz: int) -> int:
        """Slots per window: ceil(window_s · rate_hz), the same for all."""
        return math.ceil(self.window_s * _checked_rate(rate_hz))

    def n_samples(self, *, rate_hz: int) -> int:
        """Samples of the whole span."""
        return self.end_sample(self.n_windows - 1, rate_hz=rate_hz)

    def coordinates(
        self, index: int, *, rate_hz: int, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, " window"]:
        """Where the slots of window `index` stand in it: -1 is its start, 1 its end, linear."""
        return (2 * self._elapsed(index, rate_hz, unit_s=self.window_s) - 1).to(dtype)

    def fade_in(
        self, index: int, *, rate_hz: int, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, " window"]:
        """Weight of window `index` against the one before it: a raised cosine over the overlap.

        (1 - cos(π t / overlap_s)) / 2 at t seconds into the window, then 1; 1 throughout for the
        first window. The window before it weighs 1 minus this.
        """
        if index == 0 or self.overlap_s == 0:
            return torch.ones(self.window_samples(rate_hz=rate_hz), dtype=dtype)
        x = self._elapsed(index, rate_hz, unit_s=self.overlap_s).clamp(0.0, 1.0)
        return (0.5 - 0.5 * torch.cos(torch.pi * x)).to(dtype)

    def weights(
        self, *, rate_hz: int, dtype: torch.dtype = torch.float32
    ) -> Float[Tensor, "w window"]:
        """Weight of each slot in the joined signal; at every sample they sum to exactly 1."""
        size = self.window_samples(rate_hz=rate_hz)
        rows = []
        for k in range(self.n_windows):
            row = self.fade_in(k, rate_hz=rate_hz, dtype=dtype)
            first, end = (f(k, rate_hz=rate_hz) for f in (self.first_sample, self.end_sample))
            if k + 1 < self.n_windows:
                following = self.first_sample(k + 1, rate_hz=rate_hz) - first
                shared = end - first - following
                row[following:] = 0.0
                fade = self.fade_in(k + 1, rate_hz=rate_hz, dtype=dtype)[:shared]
                row[following : following + shared] = 1.0 - fade
            row[min(end - first, size) :] = 0.0
            rows.append(row)
        return torch.stack(rows)

    def split(self, samples: Float[Tensor, " n"], *, rate_hz: int) -> Float[Tensor, "w window"]:
        """The windows of a signal, zeros past its end; those past the last window are left out."""
        firsts = [self.first_sample(k, rate_hz=rate_hz) for k in range(self.n_windows)]
        index = torch.tensor(firsts)[:, None] + torch.arange(self.window_samples(rate_hz=rate_hz))
        missing = max(0, int(index[-1, -1]) + 1 - len(samples))
        return torch.nn.functional.pad(samples, (0, missing))[index.to(samples.device)]

    def join(
        self, windows: Float[Tensor, "w window"], *, rate_hz: int, n: int | None = None
    ) -> Float[Tensor, " n"]:
        """The signal of n samples (default: the whole span) that windows show together.

        Raises:
            ValueError: the windows are not as many or as long as planned, or n is past the span.
        """
        if len(windows) != self.n_windows:
            raise ValueError(f"expected {self.n_windows} windows, got {len(windows)}")
        joiner = WindowJoiner(self, rate_hz=rate_hz, n=n)
        return torch.cat([*map(joiner.push, windows), joiner.finish()])

    def _elapsed(self, index: int, rate_hz: int, *, unit_s: Fraction) -> Float[Tensor, " window"]:
        """Time from the start of a window to each of its slots, float64, in units of `unit_s`."""
        # Exact up to here: the first slot stands 0 to 1 samples after the start of the window.
        late = self.first_sample(index, rate_hz=rate_hz) - self.start_s(index) * rate_hz
        return _grid(late, self.window_samples(rate_hz=rate_hz), 1 / (unit_s * rate_hz))


@functools.lru_cache(maxsize=256)
def _grid(late: Fraction, slots: int, step: Fraction) -> Float[Tensor, " slots"]:
    """late · step, (late + 1) · step, …; kept, since few grids serve all windows of a sound."""
    return float(late * step) + float(step) * torch.arange(slots, dtype=torch.float64)


class WindowJoiner:
    """Joins windows as they come, for a stream; one per stream.

    What `push` and `finish` return, put together, is `WindowPlan.join` bit for bit. Where two
    windows agree the result is theirs exactly.

    Args:
        plan: when the windows start and how they overlap.
        rate_hz: samples per second of the windows.
        n: samples of the whole signal; the plan's span by default.

    Raises:
        ValueError: n is negative or past the plan's span.
    """

    def __init__(self, plan: WindowPlan, *, rate_hz: int, n: int | None = None) -> None:
        span = plan.n_samples(rate_hz=rate_hz)
        if n is not None and not 0 <= n <= span:
            raise ValueError(f"expected 0 to {span} samples, which the windows span, got {n}")
        self._plan, self._rate_hz = plan, rate_hz
        self._n = span if n is None else n
        self._pushed = 0  # windows
        self._given = 0  # samples
        self._held: Tensor | None = None  # what the next window is faded into

    def push(self, window: Float[Tensor, " window"]) -> Float[Tensor, " m"]:
        """Take the next window and return the samples that no later window will change.

        Raises:
            ValueError: all windows have come already, or this one has another length.
        """
        plan, rate_hz, k = self._plan, self._rate_hz, self._pushed
        if k == plan.n_windows:
            raise ValueError(f"expected {plan.n_windows} windows, got one more")
        size = plan.window_samples(rate_hz=rate_hz)
        if window.shape != (size,):
            raise ValueError(
                f"expected a window of {size} samples at {rate_hz} Hz, got {list(window.shape)}"
            )
        first = plan.first_sample(k, rate_hz=rate_hz)
        window = window[: plan.end_sample(k, rate_hz=rate_hz) - first]
        if self._held is not None:
            shared = len(self._held)
            fade = plan.fade_in(k, rate_hz=rate_hz, dtype=window.dtype)[:shared].to(window.device)
            mixed = self._held + fade * (window[:shared] - self._held)
            window = torch.cat([mixed, window[shared:]])
        final = plan.first_sample(k + 1, rate_hz=rate_hz) - first
        self._pushed += 1
        self._held = window[final:]
        return self._give(window[:final])

    def finish(self) -> Float[Tensor, " m"]:
        """The end of the signal, not faded; of what came so far, where a stream is broken off.

        Raises:
            ValueError: no window has come.
        """
        if self._held is None:
            raise ValueError("expected at least one window before the end, got none; push it first")
        held, self._held = self._held, self._held[:0]
        self._pushed = self._plan.n_windows
        return self._give(held)

    def _give(self, samples: Float[Tensor, " m"]) -> Float[Tensor, " k"]:
        samples = samples[: self._n - self._given]
        self._given += len(samples)
        return samples


def _checked_rate(rate_hz: int) -> int:
    if rate_hz < 1:
        raise ValueError(f"expected a rate of at least 1 Hz, got {rate_hz}")
    return rate_hz
