"""The whole state of a run between two steps, so that a killed run continues exactly."""

from __future__ import annotations

import copy
import math
import os
from pathlib import Path

import torch

from hyperdemo.learn.optimizer import build_optimizer
from hyperdemo.model import HyperModel
from train.config import TrainConfig


def learning_rate_scale(step: int, *, warmup: int, steps: int, decay: float = 1.0) -> float:
    """Linear warm-up to 1, a plateau, and in the last share `decay` a cosine down to 0.01."""
    if step < warmup:
        return (step + 1) / warmup
    start = max(warmup, steps - round(decay * steps))
    progress = min(1.0, max(0, step - start) / max(1, steps - start))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


# What may differ when a run is resumed: its length, and what does not change its numbers.
CHANGEABLE = frozenset({"steps", "threads", "eval_every", "save_minutes"})


class TrainState:
    """Model, its exponential average, optimiser, random streams and the step count."""

    def __init__(self, config: TrainConfig, model: HyperModel, *, device: torch.device):
        self.config = config
        self.model = model.to(device)
        self.average = copy.deepcopy(self.model).requires_grad_(False).eval()
        self.optimizer = build_optimizer(self.model, config)
        self.generator = torch.Generator(device).manual_seed(config.seed)
        self.step = 0
        self.seconds = 0.0

    def set_learning_rate(self) -> float:
        """Apply the schedule to every group; returns its scale."""
        config = self.config
        scale = learning_rate_scale(
            self.step, warmup=config.warmup, steps=config.steps, decay=config.decay
        )
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * scale
        return scale

    @torch.no_grad()
    def update_average(self) -> None:
        """Move the average towards the weights, faster early on, so that it forgets the start."""
        decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
        pairs = zip(self.average.parameters(), self.model.parameters(), strict=True)
        averaged, current = zip(*((a, p) for a, p in pairs if p.requires_grad), strict=True)
        torch._foreach_lerp_(averaged, current, 1 - decay)

    def save(self, path: Path) -> None:
        """Write atomically: a kill while saving leaves the previous state."""
        state = {
            "config": self.config.to_dict(),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "seconds": self.seconds,
        }
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        """Continue from a saved state exactly.

        With other `steps` the schedule is that of the new length from here on, which for a
        finished run is a warm restart.

        Raises:
            ValueError: it belongs to a run with another configuration.
        """
        state = torch.load(path, map_location="cpu", weights_only=True)
        ours, theirs = self.config.to_dict(), TrainConfig.from_dict(state["config"]).to_dict()
        changed = sorted(key for key in ours if key not in CHANGEABLE and ours[key] != theirs[key])
        if changed:
            raise ValueError(
                f"{path} belongs to a run with other values of {', '.join(changed)}; "
                "choose another --out or remove it"
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.step = state["step"]
        self.seconds = state["seconds"]
