"""The hypernetwork in its named variants."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hyperdemo.config.backbones import BackboneConfig, SpectrogramConfig, WhisperConfig
from hyperdemo.config.fields import FieldConfig, SoundFieldConfig
from hyperdemo.config.require import require

Init = Literal["foundation", "scratch"]
Adapt = Literal["full", "frozen", "prompt", "lora"]
Task = Literal["view", "audio"]

INITS: tuple[str, ...] = ("foundation", "scratch")
TASKS: tuple[str, ...] = ("view", "audio")
ADAPTS: tuple[str, ...] = ("full", "frozen", "prompt", "lora")


@dataclass(frozen=True)
class ModelConfig:
    """The hypernetwork: backbone, weight tokens, heads and the INR that they write.

    Attributes:
        backbone: a ViT for pictures; Whisper for sound, or a ViT over its spectrogram.
        field: of the INR, which decides the task.
        n_groups: weight tokens a layer; outputs of a layer share a token in equal groups.
        init: where the encoder's weights come from before training.
        adapt: "full" trains all of the encoder, "frozen" none of it (tokens, heads and base
            weights only), "prompt" none of it, but learned prompts in every block, "lora" none of
            it, but an addition of low rank to every linear map of its blocks.
        n_prompts: prompts a block where adapt is "prompt".
        lora_rank: rank of the additions where adapt is "lora".
    """

    backbone: BackboneConfig | WhisperConfig | SpectrogramConfig = BackboneConfig()
    field: FieldConfig | SoundFieldConfig = FieldConfig()
    n_groups: int = 8
    init: Init = "foundation"
    adapt: Adapt = "full"
    n_prompts: int = 16
    lora_rank: int = 8

    def __post_init__(self) -> None:
        reads = (BackboneConfig,) if self.task == "view" else (WhisperConfig, SpectrogramConfig)
        require(
            isinstance(self.backbone, reads),
            f"the {self.task} task takes a {' or '.join(kind.__name__ for kind in reads)}, got "
            f"{type(self.backbone).__name__}",
        )
        self._check_stretches()
        require(self.init in INITS, f"init must be one of {INITS}, got {self.init!r}")
        require(self.adapt in ADAPTS, f"adapt must be one of {ADAPTS}, got {self.adapt!r}")
        for _, outputs in self.field.layer_shapes:
            groups = min(self.n_groups, outputs)
            require(
                groups >= 1 and outputs % groups == 0,
                f"n_groups={self.n_groups} does not divide a layer of {outputs} outputs",
            )
        require(self.n_prompts >= 1, f"n_prompts must be at least 1, got {self.n_prompts}")
        require(self.lora_rank >= 1, f"lora_rank must be at least 1, got {self.lora_rank}")
        require(
            not (self.init == "scratch" and self.adapt != "full"),
            "a scratch encoder must train in full: random frozen weights compare with nothing",
        )

    def _check_stretches(self) -> None:
        if isinstance(self.field, SoundFieldConfig):
            hop = self.field.stretch - self.field.overlap
            require(
                (self.backbone.window - self.field.overlap) % hop == 0
                and self.backbone.window >= self.field.stretch,
                f"a window must hold whole stretches: k·{hop} + {self.field.overlap} samples "
                f"expected, got {self.backbone.window}",
            )
            reads = self.backbone
            require(
                reads.inputs == "mel"
                or not reads.tied
                or (reads.patch, reads.patch_hop) == (self.field.stretch, hop),
                f"patches tied to the weight tokens must be the stretches: patch="
                f"{self.field.stretch} and patch_hop={hop} expected, got {reads.patch} and "
                f"{reads.patch_hop}",
            )

    @property
    def n_stretches(self) -> int:
        """INRs written for one input: one a picture, one for each stretch of a window of sound."""
        if isinstance(self.field, FieldConfig):
            return 1
        field = self.field
        return (self.backbone.window - field.overlap) // (field.stretch - field.overlap)

    @property
    def groups(self) -> tuple[int, ...]:
        """Weight tokens of each layer."""
        return tuple(min(self.n_groups, outputs) for _, outputs in self.field.layer_shapes)

    @property
    def n_written(self) -> int:
        """Numbers that are written for one INR: its masks, of which the weights are made."""
        shapes = self.field.layer_shapes
        return sum(inputs * groups for (inputs, _), groups in zip(shapes, self.groups, strict=True))

    @property
    def task(self) -> Task:
        """What the INR is of, by its field: "view" or "audio"."""
        return "view" if isinstance(self.field, FieldConfig) else "audio"

    def to_dict(self) -> dict[str, Any]:
        return {"task": self.task, **dataclasses.asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelConfig:
        """Rebuild from `to_dict`; an unknown key is a ValueError that names it."""
        parts = dict(data)
        task = parts.pop("task", "view")
        require(task in TASKS, f"task must be one of {TASKS}, got {task!r}")
        backbone, field = (
            (BackboneConfig, FieldConfig) if task == "view" else (WhisperConfig, SoundFieldConfig)
        )
        given = dict(parts.get("backbone", {}))
        if task == "audio" and "vit" in given:
            backbone, given["vit"] = SpectrogramConfig, _build(BackboneConfig, given["vit"])
        parts["backbone"] = _build(backbone, given)
        parts["field"] = _build(field, parts.get("field", {}))
        return _build(cls, parts)


def _build(cls: type, data: Mapping[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(data) - known)
    require(not unknown, f"{cls.__name__} has no {', '.join(unknown)}; it has {sorted(known)}")
    return cls(**data)
