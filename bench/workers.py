"""Seconds per training step of one worker and of two, who share its batch.

Each worker has one core. The pictures are noise and the weights random, on which a step takes as
long as on any. Beside them stands one worker on both cores: the other way to use them.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.timing import rounds, row
from hyperdemo.learn.views import ViewSet, turns_to_front
from hyperdemo.render.cameras import look_at_origin
from train.config import TrainConfig, load_config
from train.loop import train
from train.view.task import ViewTask

WARM_UP = 10
"""Steps before those that count: the first ones allocate, and compile where that is asked for."""
CPU = torch.device("cpu")


class NoiseTask(ViewTask):
    """The view task on pictures of noise."""

    @classmethod
    def load(cls, config: TrainConfig, *, device: torch.device) -> NoiseTask:
        views = noise(config.batch, input_size=config.model.backbone.image_size)
        return cls(config, views, views.some(torch.tensor([0])), device=device)


def noise(objects: int, *, input_size: int, n_views: int = 8, size: int = 128) -> ViewSet:
    """Objects whose views are noise, from cameras around them."""
    draw = torch.Generator().manual_seed(0)
    shape = (objects, n_views)
    around = [look_at_origin(360.0 * k / n_views, 20.0) for k in range(n_views)]
    poses = torch.from_numpy(np.stack(around)).expand(*shape, 4, 4).contiguous()
    return ViewSet(
        tuple(f"noise-{k}" for k in range(objects)), ("noise",) * objects,
        torch.randint(256, (*shape, size, size, 4), generator=draw, dtype=torch.uint8),
        torch.randint(256, (*shape, input_size, input_size, 3), generator=draw, dtype=torch.uint8),
        poses, turns_to_front(poses), 40.0,
    )  # fmt: skip


def measured_config(steps: int, name: str = "view-cpu") -> TrainConfig:
    """A configuration with so many steps beside the first, nothing saved or scored on the way."""
    own = {"model.init": "scratch", "steps": WARM_UP + steps, "save_minutes": 1e6}
    return load_config(name, overrides=own | {"eval_every": WARM_UP + steps, "threads": 1})


def bench_workers(config: TrainConfig, *, repeats: int) -> dict[str, Any]:
    """What a step takes, in seconds, and how much faster two workers are than one.

    Args:
        config: as `measured_config` gives it.
        repeats: how often each is trained.
    """
    before = torch.get_num_threads()
    found = rounds(lambda: _once(config), repeats=repeats, warm_up=False)
    torch.set_num_threads(before)
    rows = {name: row(values, "s") for name, values in found.items()}
    one, both, two = (np.array(values) for values in found.values())
    rows["speed-up by a second worker"] = row((one / two).tolist(), "×")
    rows["speed-up by a second thread"] = row((one / both).tolist(), "×")
    return {"rows": rows, "bars": []}


def _once(config: TrainConfig) -> dict[str, float]:
    return {
        "step of one worker": _alone(config, threads=1),
        "step of one worker on two cores": _alone(replace(config, threads=2), threads=2),
        "step of two workers": _together(config),
    }


def _alone(config: TrainConfig, *, threads: int) -> float:
    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        task = NoiseTask.load(config, device=CPU)
        train(config, task, out=Path(folder), device=CPU)
        return step_s(Path(folder))


def _together(config: TrainConfig) -> float:
    from train.cluster.training import train_together  # Ray, which the other parts do without

    with tempfile.TemporaryDirectory() as folder:
        train_together(config, NoiseTask.load, out=Path(folder), device=CPU, workers=2, command="")
        return step_s(Path(folder))


def step_s(folder: Path) -> float:
    """Seconds per step of a run after `WARM_UP`, from what it logged."""
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    at = {one["step"]: one["seconds"] for one in rows}
    return (at[max(at)] - at[WARM_UP]) / (max(at) - WARM_UP)
