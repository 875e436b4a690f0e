"""Two hypernetworks learn side by side, from what two frozen encoders give: one pretrained, one
random. All else is the same: heads, base weights, draws, rates.

The encoders' outputs at the weight tokens are known beforehand, since neither encoder nor weight
tokens move; heads and base weights learn. So a step takes milliseconds, and a race a minute.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from hyperdemo.config import ModelConfig, Rates, RayData
from hyperdemo.hypernet import build_heads
from hyperdemo.inr import InrParams, as_field
from hyperdemo.learn.batches import draw_batch
from hyperdemo.learn.objective import object_psnr, ray_objective
from hyperdemo.learn.optimizer import (
    build_optimizer,
    descend,
    learning_rate_scale,
    move_average,
)
from hyperdemo.learn.race_data import RaceData
from hyperdemo.learn.views import ViewSet
from hyperdemo.render.quadrature import render_view

RATES = Rates(lr=1e-3, lr_heads=2e-2)
DATA = RayData(target_views=1, rays=64, samples=20, near_share=0.0, mirror=0.0, absolute_weight=0.3)
BATCH, STEPS, WARMUP, DECAY, EMA = 16, 400, 30, 0.4, 0.98
SCORED = (2, 4, 6)
"""Views that are compared with the truth; the input is view 0."""


class Arm:
    """Heads and base weights that learn from one encoder's tokens.

    Args:
        config: of the hypernetwork.
        tokens: the encoder's outputs at the weight tokens, for the inputs of all objects.
        seed: of heads, base weights and draws.
        rates: of the optimiser.
    """

    def __init__(
        self, config: ModelConfig, tokens: Float[Tensor, "n k m d"], *, seed: int, rates: Rates
    ):
        self.config, self.tokens, self.rates = config, tokens, rates
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.heads = build_heads(tokens.shape[-1], config)
        self.heads.tokens.requires_grad_(False)  # what they became in the encoder is known
        self.average = copy.deepcopy(self.heads).requires_grad_(False)
        self.optimizer = build_optimizer(self, rates)
        self.generator = torch.Generator().manual_seed(seed)

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Nothing of an encoder, and all that learns."""
        return [], [p for p in self.heads.parameters() if p.requires_grad]

    def write(self, objects: Int[Tensor, " b"], inputs: Int[Tensor, " b"]) -> InrParams:
        """The INRs of some objects, each from one of its inputs."""
        return self.heads(self.tokens[objects, inputs]).params()

    def loss(self, views: ViewSet, *, batch: int = BATCH, data: RayData = DATA) -> Tensor:
        """Objective of a random batch of the objects that `views` and the tokens are of."""
        drawn = draw_batch(
            views, data, objects=batch, generator=self.generator,
            input_views=self.tokens.shape[1],
        )  # fmt: skip
        params = self.write(*drawn.drawn.unbind(1))
        return ray_objective(self.config.field, params, drawn, data=data, generator=self.generator)[
            0
        ]

    def step(self, views: ViewSet, *, step: int, steps: int = STEPS) -> None:
        """Learn from one batch, the `step`th of so many, from 0."""
        scale = learning_rate_scale(step, warmup=WARMUP, steps=steps, decay=DECAY)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * scale
        descend(self.optimizer, self.loss(views), clip=self.rates.clip)
        move_average(self.average, self.heads, step=step + 1, ema=EMA)


@dataclass(frozen=True)
class Lap:
    """How the race stands.

    Attributes:
        step: of both arms.
        over: whether it is the last.
        psnr: of each arm, in dB, on each of n held-out objects from its first view.
        pictures: of each arm, some held-out objects from a side that is not the input's.
    """

    step: int
    over: bool
    psnr: Mapping[str, Float[Tensor, " n"]]
    pictures: Mapping[str, Float[Tensor, "v h w 3"]]


class Race:
    """Both arms, and the objects that they learn from and that they never see.

    Args:
        data: of all objects.
        seed: decides on all that is random: who is held out, heads and draws.
        n_objects: to learn from; all that are not held out if there are fewer.
        pace: factor of the learning rates.
        last: steps of the whole race.
        shown: held-out objects that are drawn.
    """

    def __init__(
        self,
        data: RaceData,
        *,
        seed: int,
        n_objects: int,
        pace: float = 1.0,
        last: int = STEPS,
        shown: int = 5,
    ):
        n = len(data.views)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        held, learnt = order[: n // 4], order[n // 4 :][:n_objects]
        self.held_out, self.views = data.views.some(held), data.views.some(learnt)
        self._inputs = data.inputs[held]
        self.field = data.config.field
        self._held_tokens = {arm: tokens[held] for arm, tokens in data.tokens.items()}
        rates = replace(RATES, lr=pace * RATES.lr, lr_heads=pace * RATES.lr_heads)
        self.arms = {
            arm: Arm(data.config, tokens[learnt], seed=seed, rates=rates)
            for arm, tokens in data.tokens.items()
        }
        self.shown = range(min(shown, len(held)))
        self.steps, self.last = 0, last

    def step(self) -> None:
        """One for each arm."""
        for arm in self.arms.values():
            arm.step(self.views, step=self.steps, steps=self.last)
        self.steps += 1

    @torch.no_grad()
    def written(self, arm: str) -> list[InrParams]:
        """What an arm writes for the first view of each held-out object."""
        heads = self.arms[arm].average
        return [heads(tokens[:1]).params() for tokens in self._held_tokens[arm]]

    def psnr(self, arm: str) -> Float[Tensor, " n"]:
        """In dB, of each held-out object."""
        return torch.stack([
            object_psnr(
                self.field, params, self.held_out, k, targets=SCORED, samples=DATA.samples
            )
            for k, params in enumerate(self.written(arm))
        ])  # fmt: skip

    def pictures(self, arm: str, *, size: int = 48, view: int = SCORED[0]) -> Tensor:
        """Renderings `[v, h, w, 3]` in [0, 1] of the objects that are shown."""
        written = self.written(arm)
        return torch.stack([
            render_view(
                as_field(self.field, written[k]), self.held_out.poses_from(k, 0)[view],
                fov_deg=self.held_out.fov_deg, size=size, n_samples=DATA.samples,
            ).rgb.clamp(0, 1)
            for k in self.shown
        ])  # fmt: skip

    def inputs_and_truth(
        self, *, view: int = SCORED[0]
    ) -> tuple[UInt8[Tensor, "v s s 3"], UInt8[Tensor, "v h h 3"]]:
        """What both arms are given of the objects that are shown, and what `pictures` should be."""
        shown = list(self.shown)
        return self._inputs[shown], self.held_out.framed[shown, view]


def laps(race: Race, *, every: int, seconds: float) -> Iterator[Lap | None]:
    """Let both arms learn, and say how they stand: at the start, now and then, at the end.

    Args:
        race: that has not begun.
        every: steps from one lap to the next.
        seconds: after which it ends, wherever it is.

    Yields:
        A lap; None after every step between, where the race can be broken off.

    Raises:
        FloatingPointError: the rates were too high for one of the arms.
    """
    end = time.monotonic() + seconds
    while True:
        over = race.steps >= race.last or time.monotonic() >= end
        if over or race.steps % every == 0:
            scores = {arm: race.psnr(arm) for arm in race.arms}
            pictures = {arm: race.pictures(arm) for arm in race.arms}
            yield Lap(race.steps, over, scores, pictures)
        if over:
            return
        race.step()
        yield None
