"""What a visitor asks for, and the data set's cameras."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hyperdemo.config.require import require

MAX_REFINE_STEPS = 400

MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000
"""Rates of sound that is read or written, in samples per second."""

CAMERA_DISTANCE = 3.0
"""Distance of every data-set camera from the origin, in world units (object radius 1)."""

CAMERA_FOV_DEG = 40.0
"""Full field of view: 2·asin(1/3) = 38.9° just holds the unit sphere, and a little air."""


@dataclass(frozen=True)
class ViewRequest:
    """What to render of one object.

    Attributes:
        size: side of the frames in pixels.
        n_frames: frames of one full turn.
        fps: frames per second.
        elevation_deg: height of the orbit above the horizon.
        renderer: "fast" marches a baked grid, "exact" integrates the field itself.
        chunk_frames: frames per streamed chunk.
        pose_size: side of the views at poses the caller gives; None takes `size`.
        refine_steps: steps of test-time optimisation on the picture before anything is rendered.
        refine_shown: whether the fields on the way are packed for the browser too.
    """

    size: int = 256
    n_frames: int = 96
    fps: int = 24
    elevation_deg: float = 20.0
    renderer: Literal["exact", "fast"] = "fast"
    chunk_frames: int = 24
    pose_size: int | None = None
    refine_steps: int = 0
    refine_shown: bool = False

    def __post_init__(self) -> None:
        require(
            16 <= self.size <= 1024 and self.size % 2 == 0,
            f"size must be an even number of pixels from 16 to 1024, got {self.size}",
        )
        ranges = {
            "n_frames": (1, 960),
            "fps": (1, 120),
            "elevation_deg": (-89, 89),
            "refine_steps": (0, MAX_REFINE_STEPS),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            require(low <= value <= high, f"{name} must be from {low} to {high}, got {value}")
        require(
            self.renderer in ("exact", "fast"),
            f"renderer must be 'exact' or 'fast', got {self.renderer!r}",
        )
        require(self.chunk_frames >= 1, f"chunk_frames must be ≥ 1, got {self.chunk_frames}")
        require(
            self.pose_size is None or 16 <= self.pose_size <= 1024,
            f"pose_size must be from 16 to 1024 pixels, got {self.pose_size}",
        )


@dataclass(frozen=True)
class SoundRequest:
    """The rate of a resynthesis in samples per second; None for the clip's own."""

    rate_hz: int | None = None

    def __post_init__(self) -> None:
        require(
            self.rate_hz is None or MIN_RATE_HZ <= self.rate_hz <= MAX_RATE_HZ,
            f"rate_hz must be from {MIN_RATE_HZ} to {MAX_RATE_HZ}, got {self.rate_hz}",
        )
