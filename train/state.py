"""The whole state of a run between two steps, so that a killed run continues exactly."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import torch

from hyperdemo.learn.optimizer import build_optimizer, learning_rate_scale, move_average
from hyperdemo.model import HyperModel
from train.config import TrainConfig

# What may differ when a run is resumed: its length, and what does not change its numbers.
CHANGEABLE = frozenset({"steps", "threads", "eval_every", "save_minutes"})


def read_state(path: Path, config: TrainConfig) -> dict[str, Any]:
    """A saved state, on the CPU.

    Raises:
        ValueError: it belongs to a run with another configuration.
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    ours, theirs = config.to_dict(), TrainConfig.from_dict(state["config"]).to_dict()
    changed = sorted(key for key in ours if key not in CHANGEABLE and ours[key] != theirs[key])
    if changed:
        raise ValueError(
            f"{path} belongs to a run with other values of {', '.join(changed)}; "
            "choose another --out or remove it"
        )
    return state


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

    def update_average(self) -> None:
        """Move the average towards the weights."""
        move_average(self.average, self.model, step=self.step, ema=self.config.ema)

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
        state = read_state(path, self.config)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"])
        self.step = state["step"]
        self.seconds = state["seconds"]
