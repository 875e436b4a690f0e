"""Workers that train one model together, each on its own share of every batch.

The loop asks the team for what is different with several: the loss whose gradient is averaged, the
draws of each step, and who writes. A worker alone changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from hyperdemo.model import HyperModel
from train.config import TrainConfig

if TYPE_CHECKING:
    from train.loop import Task

Loss = Callable[..., tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]]
"""`Task.loss` of a model: takes the generator."""


@dataclass(frozen=True)
class Team:
    """One of several workers, who all hold the same state between two steps.

    Attributes:
        rank: which one, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @classmethod
    def here(cls) -> Team:
        """This process's place among those of `torch.distributed`, if it has joined others."""
        return cls(dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else cls()

    @property
    def leads(self) -> bool:
        """Whether this worker keeps the average, scores, logs and saves for all."""
        return self.rank == 0

    def share_of(self, config: TrainConfig) -> TrainConfig:
        """The configuration with a worker's part of the batch.

        Raises:
            ValueError: the batch cannot be divided.
        """
        if config.batch % self.size:
            raise ValueError(
                f"a batch of {config.batch} cannot be divided among {self.size} workers; choose "
                "another --workers or --set batch"
            )
        return replace(config, batch=config.batch // self.size)

    def loss_of(self, task: Task, model: HyperModel) -> Loss:
        """The task's loss; its gradients become the means over all workers.

        Every worker draws as much, so that they are those of the whole batch.
        """
        if self.size == 1:
            return partial(task.loss, model)
        return DistributedDataParallel(_Objective(task, model))

    def seed(self, generator: torch.Generator, *, seed: int, step: int) -> None:
        """Set the generator to this worker's draws of a step.

        They depend on nothing before, so that a run goes on exactly where it was saved, with as
        many workers or others. A worker alone goes on with its one stream.
        """
        if self.size > 1:
            (mixed,) = np.random.SeedSequence((seed, step, self.rank)).generate_state(1)
            generator.manual_seed(int(mixed))

    def mean(self, values: Mapping[str, Float[Tensor, ""]]) -> dict[str, float]:
        """Of each value over all workers."""
        if self.size > 1 and values:
            together = torch.stack([value.detach().float() for value in values.values()])
            dist.all_reduce(together)
            values = dict(zip(values, together / self.size, strict=True))
        return {name: value.item() for name, value in values.items()}

    def require_same(self, value: float, *, what: str) -> None:
        """
        Raises:
            RuntimeError: the workers differ in a value that must be the same.
        """
        if self.size > 1:
            found: list[float] = [0.0] * self.size
            dist.all_gather_object(found, value)
            if len(set(found)) > 1:
                raise RuntimeError(f"the workers differ in {what}: {found}")


class _Objective(nn.Module):
    """What DistributedDataParallel needs: the parameters, and a forward that ends in the loss."""

    def __init__(self, task: Task, model: HyperModel):
        super().__init__()
        self.model = model
        self.task = task

    def forward(
        self, *, generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        return self.task.loss(self.model, generator=generator)
