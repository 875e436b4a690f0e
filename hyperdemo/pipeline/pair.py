"""What the pipelines of all tasks share: some models of one task on one device."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.checkpoints import LoadedModel, find_weights, load_checkpoint
from hyperdemo.config import ModelConfig, Task
from hyperdemo.inr import ModulatedInrs
from hyperdemo.pipeline.runtime import MODEL_NAMES, choose_device

Pair = TypeVar("Pair", bound="ModelPair")


class ModelPair:
    """Models that answer side by side: the shipped pair, or one of it, or others.

    Args:
        models: loaded checkpoints by the name they are shown under.
        device: where the models live.

    Raises:
        ValueError: there is no model, one of another task, or two that read different inputs.
    """

    task: ClassVar[Task]

    @staticmethod
    def input_of(config: ModelConfig) -> Hashable:
        """What all models of a pair must read alike, since it is prepared once."""
        raise NotImplementedError

    def __init__(self, models: Mapping[str, LoadedModel], *, device: torch.device):
        if not models:
            raise ValueError("at least one model expected")
        inputs = {}
        for name, loaded in models.items():
            config = loaded.model.config
            if config.task != self.task:
                raise ValueError(
                    f"models of the {self.task} task expected, got {loaded.name} ({name!r}) of the "
                    f"{config.task} task"
                )
            inputs[loaded.name] = self.input_of(config)
        if len(set(inputs.values())) > 1:
            raise ValueError(f"models that read the same input expected, got {inputs}")
        self.models = dict(models)
        self.device = device

    @classmethod
    def from_weights(
        cls: type[Pair],
        directory: str | Path | None = None,
        *,
        names: Sequence[str] = MODEL_NAMES,
        device: str | None = None,
    ) -> Pair:
        """Load the shipped pair of the task, or one of it, from a folder or as `find_weights`.

        Raises:
            ValueError: a checkpoint is missing or damaged, or there is no such device.
        """
        chosen, directory = choose_device(device), find_weights(directory)
        models = {n: load_checkpoint(directory, f"{cls.task}-{n}", device=chosen) for n in names}
        return cls(models, device=chosen)

    def to(self: Pair, device: torch.device) -> Pair:
        """A copy on another device."""
        models = {
            name: replace(loaded, model=copy.deepcopy(loaded.model).to(device))
            for name, loaded in self.models.items()
        }
        return type(self)(models, device=device)

    @torch.inference_mode()
    def write(self, loaded: LoadedModel, media: Float[Tensor, "b ..."]) -> ModulatedInrs:
        """The networks that one of the models writes for a batch on the device."""
        return loaded.model.write(media)

    @property
    def n_at_once(self) -> int:
        """Requests to be computed at once: on the CPU two would halve each other's speed."""
        return 1 if self.device.type == "cpu" else 2

    @property
    def device_name(self) -> str:
        """Name of the GPU, or the CPU with its threads."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"CPU, {torch.get_num_threads()} threads"

    def chosen(self, names: Sequence[str] | None) -> tuple[str, ...]:
        """Names of models, or all by default; `ValueError` if unknown, or if there are none."""
        names = tuple(self.models if names is None else names)
        if not names or any(name not in self.models for name in names):
            raise ValueError(f"models must be among {sorted(self.models)}, got {list(names)}")
        return names
