"""Frozen, validated configurations and the named variants of the system."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Init = Literal["foundation", "scratch"]
Adapt = Literal["full", "frozen", "prompt"]
Task = Literal["view", "audio"]

CAMERA_DISTANCE = 3.0
"""Distance of every data-set camera from the origin, in world units (object radius 1)."""

CAMERA_FOV_DEG = 40.0
"""Full field of view: 2·asin(1/3) = 38.9° just holds the unit sphere, and a little air."""

INITS: tuple[str, ...] = ("foundation", "scratch")
TASKS: tuple[str, ...] = ("view", "audio")
ADAPTS: tuple[str, ...] = ("full", "frozen", "prompt")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)


Shapes = tuple[tuple[int, int], ...]


def _mlp_shapes(inputs: int, width: int, *, depth: int, outputs: int) -> Shapes:
    dims = [inputs] + [width] * (depth - 1) + [outputs]
    return tuple(zip(dims[:-1], dims[1:], strict=True))


class _Mlp:
    """What all fields share: they are MLPs of known shapes."""

    @property
    def layer_shapes(self) -> Shapes:
        raise NotImplementedError

    @property
    def encoded_dim(self) -> int:
        """Inputs of the first layer, the encoded coordinates."""
        return self.layer_shapes[0][0]

    @property
    def n_parameters(self) -> int:
        return sum(i * o + o for i, o in self.layer_shapes)


@dataclass(frozen=True)
class FieldConfig(_Mlp):
    """The INR: an MLP from a point in space to density and colour (NeRF without view direction).

    Attributes:
        width: units of a hidden layer.
        depth: linear layers in all, the output layer included.
        n_freqs: frequencies a coordinate of the positional encoding.
        max_log2_freq: the highest frequency is π·2**max_log2_freq radians a world unit.
        density_scale: density at a pre-activation of about one, in 1/world unit.
    """

    width: int = 128
    depth: int = 5
    n_freqs: int = 10
    max_log2_freq: float = 5.0
    density_scale: float = 25.0

    def __post_init__(self) -> None:
        _require(self.width >= 4, f"FieldConfig.width must be at least 4, got {self.width}")
        _require(self.depth >= 2, f"FieldConfig.depth must be at least 2, got {self.depth}")
        _require(self.n_freqs >= 1, f"FieldConfig.n_freqs must be at least 1, got {self.n_freqs}")
        _require(self.density_scale > 0, "FieldConfig.density_scale must be positive")

    @property
    def layer_shapes(self) -> Shapes:
        """(inputs, outputs) of each linear layer; the last one gives density, red, green, blue."""
        return _mlp_shapes(3 + 6 * self.n_freqs, self.width, depth=self.depth, outputs=4)

    @property
    def output_bias(self) -> tuple[float, ...]:
        """Where training starts: thin haze, for a ray must see something, but through it too."""
        return (-4.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class SoundFieldConfig(_Mlp):
    """The INR of a stretch of sound: an MLP from time to amplitude.

    Attributes:
        window_s: length in seconds of the stretch that one INR holds.
        width: units of a hidden layer.
        depth: linear layers in all, the output layer included.
        n_freqs: frequencies of the encoding.
        min_freq_hz, max_freq_hz: the lowest and the highest of them.
        spacing: "linear" or "log" between these two.
        scale: amplitude at an output of one.
    """

    window_s: float = 0.5
    width: int = 256
    depth: int = 4
    n_freqs: int = 128
    min_freq_hz: float = 31.25
    max_freq_hz: float = 4000.0
    spacing: Literal["linear", "log"] = "linear"
    scale: float = 0.1

    def __post_init__(self) -> None:
        for name in ("window_s", "min_freq_hz", "scale"):
            _require(getattr(self, name) > 0, f"SoundFieldConfig.{name} must be positive")
        _require(self.width >= 4, f"SoundFieldConfig.width must be at least 4, got {self.width}")
        _require(self.depth >= 2, f"SoundFieldConfig.depth must be at least 2, got {self.depth}")
        _require(self.n_freqs >= 1, f"n_freqs must be at least 1, got {self.n_freqs}")
        _require(
            self.max_freq_hz >= self.min_freq_hz,
            f"max_freq_hz must be at least min_freq_hz, got {self.max_freq_hz}",
        )
        _require(
            self.spacing in ("linear", "log"),
            f"spacing must be 'linear' or 'log', got {self.spacing!r}",
        )

    @property
    def layer_shapes(self) -> Shapes:
        """(inputs, outputs) of each linear layer; the last one gives the amplitude."""
        return _mlp_shapes(1 + 2 * self.n_freqs, self.width, depth=self.depth, outputs=1)

    @property
    def output_bias(self) -> tuple[float, ...]:
        """Where training starts: round silence."""
        return (0.0,)


@dataclass(frozen=True)
class BackboneConfig:
    """A ViT of timm, by name, at the input size it is used with.

    Attributes:
        name: timm model name.
        image_size: side of the square input in pixels, a multiple of the patch size.
        depth: blocks kept, counted from the input; None keeps all.
        overrides: keyword arguments for timm, for tiny models in tests.
    """

    name: str = "vit_small_patch14_dinov2"
    image_size: int = 112
    depth: int | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(bool(self.name), "BackboneConfig.name is empty")
        _require(self.image_size >= 8, f"image_size must be at least 8, got {self.image_size}")
        _require(self.depth is None or self.depth >= 1, f"depth must be ≥ 1, got {self.depth}")


@dataclass(frozen=True)
class ModelConfig:
    """The hypernetwork: backbone, weight tokens, heads and the INR that they write.

    Attributes:
        n_groups: weight tokens a layer; outputs of a layer share a token in equal groups.
        init: where the encoder's weights come from before training.
        adapt: "full" trains all of the encoder, "frozen" none of it (tokens, heads and base
            weights only), "prompt" none of it, but learned prompts in every block.
        n_prompts: prompts a block where adapt is "prompt".
    """

    backbone: BackboneConfig = BackboneConfig()
    field: FieldConfig = FieldConfig()
    n_groups: int = 8
    init: Init = "foundation"
    adapt: Adapt = "full"
    n_prompts: int = 16

    def __post_init__(self) -> None:
        _require(self.init in INITS, f"init must be one of {INITS}, got {self.init!r}")
        _require(self.adapt in ADAPTS, f"adapt must be one of {ADAPTS}, got {self.adapt!r}")
        for _, outputs in self.field.layer_shapes:
            groups = min(self.n_groups, outputs)
            _require(
                groups >= 1 and outputs % groups == 0,
                f"n_groups={self.n_groups} does not divide a layer of {outputs} outputs",
            )
        _require(self.n_prompts >= 1, f"n_prompts must be at least 1, got {self.n_prompts}")
        _require(
            not (self.init == "scratch" and self.adapt != "full"),
            "a scratch encoder must train in full: random frozen weights compare with nothing",
        )

    @property
    def groups(self) -> tuple[int, ...]:
        """Weight tokens of each layer."""
        return tuple(min(self.n_groups, outputs) for _, outputs in self.field.layer_shapes)

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
        _require(task in TASKS, f"task must be one of {TASKS}, got {task!r}")
        parts["backbone"] = _build(BackboneConfig, parts.get("backbone", {}))
        parts["field"] = _build(FieldConfig, parts.get("field", {}))
        return _build(cls, parts)


def _build(cls: type, data: Mapping[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(cls)}
    unknown = sorted(set(data) - known)
    _require(not unknown, f"{cls.__name__} has no {', '.join(unknown)}; it has {sorted(known)}")
    return cls(**data)


@dataclass(frozen=True)
class ViewRequest:
    """What to render of one object.

    Attributes:
        size: side of the frames in pixels.
        n_frames: frames of one full turn.
        fps: frames a second.
        elevation_deg: height of the orbit above the horizon.
        renderer: "fast" marches a baked grid, "exact" integrates the field itself.
        chunk_frames: frames a streamed chunk.
        pose_size: side of the views at poses the caller gives; None takes `size`.
    """

    size: int = 256
    n_frames: int = 96
    fps: int = 24
    elevation_deg: float = 20.0
    renderer: Literal["exact", "fast"] = "fast"
    chunk_frames: int = 24
    pose_size: int | None = None

    def __post_init__(self) -> None:
        _require(
            16 <= self.size <= 1024 and self.size % 2 == 0,
            f"size must be an even number of pixels from 16 to 1024, got {self.size}",
        )
        _require(1 <= self.n_frames <= 960, f"n_frames must be from 1 to 960, got {self.n_frames}")
        _require(1 <= self.fps <= 120, f"fps must be from 1 to 120, got {self.fps}")
        _require(
            math.isfinite(self.elevation_deg) and -89 <= self.elevation_deg <= 89,
            f"elevation_deg must be from -89 to 89, got {self.elevation_deg}",
        )
        _require(
            self.renderer in ("exact", "fast"),
            f"renderer must be 'exact' or 'fast', got {self.renderer!r}",
        )
        _require(self.chunk_frames >= 1, f"chunk_frames must be ≥ 1, got {self.chunk_frames}")
        _require(
            self.pose_size is None or 16 <= self.pose_size <= 1024,
            f"pose_size must be from 16 to 1024 pixels, got {self.pose_size}",
        )
