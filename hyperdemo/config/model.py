"""The hypernetwork in its named variants."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from hyperdemo.config.backbones import (
    BackboneConfig,
    ConvNetConfig,
    SpectrogramConfig,
    WhisperConfig,
)
from hyperdemo.config.fields import FieldConfig, SoundFieldConfig
from hyperdemo.config.require import at_least, one_of, require

Init = Literal["foundation", "scratch"]
Adapt = Literal["full", "frozen", "prompt", "lora"]
Algorithm = Literal["trans-inr", "ipc"]
Biases = Literal["shared", "generated"]
Task = Literal["view", "sound"]

INITS, TASKS, ADAPTS = get_args(Init), get_args(Task), get_args(Adapt)
OLD_TASKS = {"audio": "sound"}  # as checkpoints and configs named them

COMPOSED_LAYER = 1
"""The layer that instance pattern composers generate: the second (arXiv 2211.13223)."""


@dataclass(frozen=True)
class ModelConfig:
    """The hypernetwork: backbone, weight tokens, heads and the INR that they generate.

    Attributes:
        backbone: a ViT for pictures, or a ConvNet, which a file chooses by naming one of its
            `dim`, `n_heads` and `n_blocks`; Whisper for sound, or a ViT over its spectrogram.
        field: of the INR, which decides the task.
        n_groups: weight tokens per layer; outputs of a layer share a token in equal groups. With
            algorithm "ipc" the rank of the one generated layer, which has a token per rank.
        algorithm: "trans-inr" generates a mask over the base weights of every layer; "ipc",
            instance pattern composers, one layer alone, as a product of low rank.
        biases: "shared" by all INRs, or "generated": the weight tokens' outputs are added to them.
        init: where the encoder's weights come from before training.
        adapt: "full" trains all of the encoder, "frozen" none of it (tokens, heads and base
            weights only). "prompt" and "lora" freeze it too, but train prompts in every block, or
            an addition of low rank to every linear map of its blocks.
        n_prompts: prompts per block where adapt is "prompt".
        lora_rank: rank of the additions where adapt is "lora".
    """

    backbone: BackboneConfig | ConvNetConfig | WhisperConfig | SpectrogramConfig = BackboneConfig()
    field: FieldConfig | SoundFieldConfig = FieldConfig()
    n_groups: int = 8
    algorithm: Algorithm = "trans-inr"
    biases: Biases = "shared"
    init: Init = "foundation"
    adapt: Adapt = "full"
    n_prompts: int = 16
    lora_rank: int = 8

    def __post_init__(self) -> None:
        pictures, sounds = (BackboneConfig, ConvNetConfig), (WhisperConfig, SpectrogramConfig)
        reads = pictures if self.task == "view" else sounds
        require(
            isinstance(self.backbone, reads),
            f"the {self.task} task takes a {' or '.join(kind.__name__ for kind in reads)}, got "
            f"{type(self.backbone).__name__}",
        )
        self._check_stretches()
        kinds = {"init": Init, "adapt": Adapt, "algorithm": Algorithm, "biases": Biases}
        for name, kind in kinds.items():
            one_of(self, name, *get_args(kind))
        self._check_algorithm()
        at_least(1, self, "n_prompts lora_rank")
        require(
            not (self.init == "scratch" and self.adapt != "full"),
            "a scratch encoder must train in full: random frozen weights compare with nothing",
        )

    def _check_algorithm(self) -> None:
        require(
            self.task == "view" or (self.algorithm, self.biases) == ("trans-inr", "shared"),
            "sound is written with algorithm='trans-inr' and shared biases only, got "
            f"{self.algorithm!r} and {self.biases!r}",
        )
        shapes = self.field.layer_shapes
        if self.algorithm == "trans-inr":
            for _, outputs in shapes:
                groups = min(self.n_groups, outputs)
                require(
                    groups >= 1 and outputs % groups == 0,
                    f"n_groups={self.n_groups} does not divide a layer of {outputs} outputs",
                )
            return
        require(
            self.biases == "shared",
            "instance pattern composers write one layer and no biases: use biases='shared'",
        )
        require(
            1 <= self.n_groups <= min(shapes[COMPOSED_LAYER]),
            f"n_groups is the rank of a layer of {shapes[COMPOSED_LAYER]}, got {self.n_groups}",
        )

    def _check_stretches(self) -> None:
        """Windows hold whole stretches, and tied patches are those."""
        field, reads = self.field, self.backbone
        if isinstance(field, FieldConfig):
            return
        hop = field.stretch - field.overlap
        require(
            (reads.window - field.overlap) % hop == 0 and reads.window >= field.stretch,
            f"a window must hold whole stretches: k·{hop} + {field.overlap} samples expected, "
            f"got {reads.window}",
        )
        tied = reads.tied and reads.inputs != "mel"
        require(
            not tied or (reads.patch, reads.patch_hop) == (field.stretch, hop),
            f"patches tied to the weight tokens must be the stretches: patch={field.stretch} and "
            f"patch_hop={hop} expected, got {reads.patch} and {reads.patch_hop}",
        )

    @property
    def n_stretches(self) -> int:
        """INRs per input: one for a picture, one per stretch of a window of sound."""
        if isinstance(self.field, FieldConfig):
            return 1
        field = self.field
        return (self.backbone.window - field.overlap) // (field.stretch - field.overlap)

    @property
    def groups(self) -> tuple[int, ...]:
        """Weight tokens of each layer; none of one that is the same for all inputs."""
        if self.algorithm == "ipc":
            layers = range(len(self.field.layer_shapes))
            return tuple(self.n_groups if k == COMPOSED_LAYER else 0 for k in layers)
        return tuple(min(self.n_groups, outputs) for _, outputs in self.field.layer_shapes)

    @property
    def n_written(self) -> int:
        """Generated values per INR: masks, or a factor, and biases if generated."""
        shapes = self.field.layer_shapes
        masks = sum(i * groups for (i, _), groups in zip(shapes, self.groups, strict=True))
        return masks + (sum(o for _, o in shapes) if self.biases == "generated" else 0)

    @property
    def task(self) -> Task:
        """What the INR is of, by its field: "view" or "sound"."""
        return "view" if isinstance(self.field, FieldConfig) else "sound"

    def to_dict(self) -> dict[str, Any]:
        return {"task": self.task, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelConfig:
        """Rebuild from `to_dict`; an unknown key is a ValueError that names it."""
        parts = dict(data)
        task = parts.pop("task", "view")
        task = OLD_TASKS.get(task, task)
        require(task in TASKS, f"task must be one of {TASKS}, got {task!r}")
        backbone, field = (
            (BackboneConfig, FieldConfig) if task == "view" else (WhisperConfig, SoundFieldConfig)
        )
        given = dict(parts.get("backbone", {}))
        if task == "sound" and "vit" in given:
            backbone, given["vit"] = SpectrogramConfig, _build(BackboneConfig, given["vit"])
        if task == "view" and {"dim", "n_heads", "n_blocks"} & set(given):
            backbone = ConvNetConfig
        parts["backbone"] = _build(backbone, given)
        parts["field"] = _build(field, parts.get("field", {}))
        return _build(cls, parts)


def _build(cls: type, data: Mapping[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(data) - known)
    require(not unknown, f"{cls.__name__} has no {', '.join(unknown)}; it has {sorted(known)}")
    return cls(**data)
