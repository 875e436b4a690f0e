"""What one training run is made of, read from short TOML files that name only what differs."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hyperdemo.config import ModelConfig, Rates, RayData
from hyperdemo.config.require import at_least, not_negative, one_of, positive, require_each, shares
from train.transplant import check_part

CONFIG_DIR = Path(__file__).parent / "configs"
HUB = "hub"
"""As `backbone_file`: the weights that timm itself fetches and caches."""
OLD_CONFIGS = {"audio-cpu": "sound-cpu", "audio-vit": "sound-vit"}


def _refuse_unknown(cls: type, data: dict[str, Any], *, what: str) -> None:
    known = {f.name for f in dataclasses.fields(cls)}
    if unknown := sorted(set(data) - known):
        raise ValueError(f"{what} has no {unknown}; it has {sorted(known)}")


@dataclass(frozen=True)
class ViewData(RayData):
    """Data and objective of the view task: where its pictures are, beside what is drawn of them.

    Attributes:
        format: "rendered", as `train.objects.render_views` writes it, "learnit", the ShapeNet
            renderings of LearnIt, see `train.view.learnit`, or "shards" of a stream, a folder per
            split in `views_dir`, which may be a URL; see `train.cluster.make`.
        views_dir: folder of the data set, which holds a folder per object.
        splits_file: which object belongs to which split.
        radius: of the sphere that holds every object, in the units of "learnit" files; those that
            are rendered here have 1.
        variants: of each training object in other proportions and colours, which are drawn as
            objects of their own; see `train.objects.variants`.
        weights: how often an object of a pack is drawn, by pack; 1 where none is given.
        packed: keep the decoded views in files beside them and map those into memory, so that runs
            side by side share one copy.
        pool: objects of a stream that are held at a time and drawn from.
        fresh: objects of a stream that are replaced after each step.
    """

    format: str = "rendered"
    views_dir: str = "data/views"
    splits_file: str = "train/splits.json"
    radius: float = 1.0
    variants: int = 0
    weights: dict[str, float] = dataclasses.field(default_factory=dict)
    packed: bool = False
    pool: int = 256
    fresh: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(self, "format", "rendered", "learnit", "shards")
        at_least(1, self, "pool fresh")
        not_negative(self, "variants")
        positive(self, "radius")
        for pack, weight in self.weights.items():
            if not weight > 0:
                raise ValueError(f"the weight of {pack} must be positive, got {weight}")
        if self.format != "rendered" and self.variants:
            raise ValueError(f"with format {self.format!r} set variants = 0, got {self.variants}")
        if self.format == "shards" and self.weights:
            raise ValueError("a stream gives its objects alike; with format 'shards' no weights")


@dataclass(frozen=True)
class SoundData:
    """Data and objective of the sound task.

    Attributes:
        format: "prompts", as `train.sources.speech` packs them, "librispeech", a LibriSpeech
            tree, or "shards" of a stream, a folder per split in `speech_dir`, which may be a URL;
            see `train.cluster.make`.
        speech_dir: folder of the speech.
        splits_file: which prompt belongs to which split.
        stretches: consecutive stretches of each window that a step's error is taken over.
        spectral_weight: weight of the multi-resolution STFT error beside that of the waveform.
        emphasised_weight: weight of the error of the waveform with its high frequencies raised.
        flip: share of the windows per step with their polarity reversed.
        augment: chance of each change of a window, see `train.sound.augment`.
        pool: clips of a stream that are held at a time and drawn from.
        fresh: clips of a stream that are replaced after each step.
    """

    format: str = "prompts"
    speech_dir: str = "data/speech"
    splits_file: str = "train/speech_splits.json"
    stretches: int = 40
    spectral_weight: float = 0.1
    emphasised_weight: float = 0.0
    flip: float = 0.5
    augment: float = 0.0
    pool: int = 256
    fresh: int = 1

    def __post_init__(self) -> None:
        one_of(self, "format", "prompts", "librispeech", "shards")
        at_least(1, self, "stretches pool fresh")
        not_negative(self, "spectral_weight emphasised_weight")
        shares(self, "flip augment")


@dataclass(frozen=True)
class TrainConfig(Rates):
    """One run: model, data, budget, and the optimiser's rates.

    Attributes:
        model: the hypernetwork to train; its task decides what `data` is.
        data: data set and objective.
        backbone_file: pretrained weights of the backbone, or "hub": timm's own, by its name.
        pretrained_part: of the backbone's weights, the rest being random; see `train.transplant`.
        start: checkpoint whose weights training starts from, as "weights/view-foundation"; without
            one the encoder starts from its backbone and all else at random.
        train_share: share of the training objects that is used, in (0, 1].
        steps: optimiser steps.
        batch: objects per step, each encoded from one random view, or windows of sound.
        warmup: steps of linear warm-up.
        decay: share of the steps, at the end, in which the rates fall along a cosine to a hundredth
            of their peaks; between warm-up and decay they stay at them. With less than 1 a run can
            be made longer as long as its decay has not begun, at no loss (Hägele et al., 2024).
        ema: decay of the exponential average of the weights that is evaluated and shipped.
        precision: "fp32", or "bf16" for automatic mixed precision: on a GPU, and on CPUs that
            have instructions for it (AVX512-BF16, AMX), where a step takes a third of the time.
        compile: compile the training step with torch.compile (worth its minutes on a GPU).
        seed: of the weights and of every draw.
        threads: CPU threads; 0 leaves torch's choice.
        eval_every: steps between evaluations on the validation objects.
        save_minutes: minutes between checkpoints.
    """

    model: ModelConfig = ModelConfig()
    data: ViewData | SoundData = ViewData()
    backbone_file: str = "data/backbones/vit_small_patch14_dinov2.safetensors"
    pretrained_part: str = "all"
    start: str = ""
    train_share: float = 1.0
    steps: int = 2000
    batch: int = 8
    warmup: int = 100
    decay: float = 1.0
    ema: float = 0.99
    precision: str = "fp32"
    compile: bool = False
    seed: int = 0
    threads: int = 0
    eval_every: int = 100
    save_minutes: float = 3.0

    def __post_init__(self) -> None:
        one_of(self, "precision", "fp32", "bf16")
        at_least(1, self, "steps batch eval_every")
        require_each(self, "train_share decay", lambda value: 0 < value <= 1, "lie in (0, 1]")
        check_part(self.pretrained_part)
        if self.data.format == "shards" and self.train_share < 1:
            raise ValueError("a stream is read whole; with format 'shards' set train_share = 1")
        expected = ViewData if self.model.task == "view" else SoundData
        if not isinstance(self.data, expected):
            raise ValueError(f"the {self.model.task} task takes {expected.__name__} as its data")
        if isinstance(self.data, SoundData) and self.data.stretches > self.model.n_stretches:
            raise ValueError(
                f"data.stretches must be at most the {self.model.n_stretches} stretches of a "
                f"window, got {self.data.stretches}"
            )

    @property
    def pretrained(self) -> str | bool:
        """Where the backbone's weights come from, as `hyperdemo.backbones` takes it."""
        return True if self.backbone_file == HUB else self.backbone_file

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"model": self.model.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainConfig:
        """Rebuild from `to_dict` or a TOML file.

        Raises:
            ValueError: an unknown key, or a value out of range.
        """
        parts = dict(data)
        parts["model"] = ModelConfig.from_dict(parts.get("model", {}))
        kind = ViewData if parts["model"].task == "view" else SoundData
        _refuse_unknown(kind, parts.get("data", {}), what="its data")
        parts["data"] = kind(**parts.get("data", {}))
        _refuse_unknown(cls, parts, what="a training config")
        return cls(**parts)


def load_config(name: str, *, overrides: dict[str, Any] | None = None) -> TrainConfig:
    """A config by its name in `train/configs` or by the path of a TOML file.

    A file that begins with `base = "…"` names only what differs from that config.

    Args:
        name: "view-cpu", or "my/config.toml".
        overrides: values that win over the file's; keys of the model as "model.init".

    Raises:
        ValueError: there is no such file, or it holds an unknown key.
    """
    data = _read(name)
    for key, value in (overrides or {}).items():
        target = data
        *parents, leaf = key.split(".")
        for parent in parents:
            target = target.setdefault(parent, {})
        target[leaf] = value
    return TrainConfig.from_dict(data)


def _read(name: str) -> dict[str, Any]:
    # Recorded commands may name a config as it was called when they ran.
    current = OLD_CONFIGS.get(name, name)
    path = Path(name) if name.endswith(".toml") else CONFIG_DIR / f"{current}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in CONFIG_DIR.glob("*.toml")))
        raise ValueError(f"no training config {name!r}; there are {known}, or give a .toml file")
    own = tomllib.loads(path.read_text())
    base = own.pop("base", "")
    return _merged(_read(base), own) if base else own


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _merged(base[key], own[key])
        for key in base.keys() & own.keys()
        if isinstance(base[key], dict) and isinstance(own[key], dict)
    }
    return base | own | both
