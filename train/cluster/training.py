"""One training on several workers: Ray starts them, and starts them again if one is lost.

Each is a process of `torch.distributed` that runs the loop of `train.loop` as a member of a
`Team`. The run's folder is the same as with one worker, and must be seen by all machines.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer, get_device

from train.cluster.runtime import start_ray
from train.cluster.team import Team
from train.config import TrainConfig
from train.loop import Task, run_facts, train
from train.state import TrainState, read_state

Load = Callable[..., Task]
"""`load` of a task: takes the configuration and a device."""


@dataclass(frozen=True)
class Job:
    """What every worker is told.

    Attributes:
        load: reads the data of a worker, which takes its share of the batch.
        out: folder of the run.
        command: arguments of `train.run`, for the record.
        folder: where relative paths start.
    """

    config: TrainConfig
    load: Load
    out: Path
    command: str
    folder: Path


def train_together(
    config: TrainConfig,
    load: Load,
    *,
    out: Path,
    device: torch.device,
    workers: int,
    command: str,
    restarts: int = 3,
) -> tuple[int, float]:
    """Run or continue a training on several workers until its budget is spent.

    Args:
        config: of the run; its batch is that of all workers together.
        load: as `Job`'s.
        out: folder of the run.
        device: whether each worker takes a GPU of its own or CPU cores.
        workers: how many.
        command: as `Job`'s.
        restarts: how often a lost worker may be replaced; all go on from the last checkpoint.

    Returns:
        Steps taken, and the seconds that they took.

    Raises:
        ValueError: the batch cannot be divided among the workers, or `out` holds a run with
            another configuration.
        ray.train.TrainingFailedError: a worker failed too often.
    """
    # What is refused is said here, since a worker that fails is started again.
    Team(size=workers).share_of(config)
    if (out / "state.pt").is_file():
        read_state(out / "state.pt", config)
    start_ray()
    # Each worker imports torch, which takes more than Ray's minute where many do at once.
    os.environ.setdefault("RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S", "300")
    # Ray keeps a run's progress under its name; ours is in the run's own folder.
    records = out.resolve() / ".ray"
    gpu = device.type == "cuda"
    trainer = TorchTrainer(
        _work,
        train_loop_config={"job": Job(config, load, out, command, Path.cwd())},
        scaling_config=ScalingConfig(
            num_workers=workers, use_gpu=gpu, resources_per_worker=resources(config, gpu=gpu)
        ),
        torch_config=TorchConfig(backend="nccl" if gpu else "gloo"),
        run_config=RunConfig(
            name=uuid4().hex,
            storage_path=str(records),
            failure_config=FailureConfig(max_failures=restarts),
        ),
    )
    try:
        return trainer.fit().return_value
    finally:
        shutil.rmtree(records, ignore_errors=True)


def resources(config: TrainConfig, *, gpu: bool) -> dict[str, float]:
    """What a worker of a run occupies: its cores, and a GPU if it trains there."""
    return {"CPU": config.threads or 1} | ({"GPU": 1} if gpu else {})


def _work(told: dict[str, Any]) -> tuple[int, float]:
    job: Job = told["job"]
    os.chdir(job.folder)
    if job.config.threads:
        torch.set_num_threads(job.config.threads)
    team, device = Team.here(), get_device()
    task = job.load(team.share_of(job.config), device=device)
    facts = run_facts(job.config, task, device=device, command=job.command)
    state = train(
        job.config, task, out=job.out, device=device, facts=facts | {"workers": team.size},
        team=team,
    )  # fmt: skip
    team.require_same(fingerprint(state), what="the state that they end in")
    return state.step, state.seconds


def fingerprint(state: TrainState) -> float:
    """A number that differs where weights or moments of the optimisers do."""
    moments = (
        value
        for member in state.optimizer.state_dict()
        for entry in member["state"].values()
        for value in entry.values()
    )
    tensors = [*state.model.state_dict().values(), *moments]
    return sum((k + 1) * float(t.double().sum()) for k, t in enumerate(tensors))
