"""What the pipeline tells its listener while it works: one frozen type an occasion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from hyperdemo.inr import InrParams


@dataclass(frozen=True)
class Progress:
    """How far the work is, in [0, 1], and in words what is being done."""

    fraction: float
    message: str


@dataclass(frozen=True)
class Encoded:
    """A hypernetwork has written its INR.

    Attributes:
        name: "foundation" or "scratch".
        params: the generated weights, a batch of one.
        seconds: time the encoding took.
    """

    name: str
    params: InrParams
    seconds: float


@dataclass(frozen=True)
class Frames:
    """Consecutive frames of the orbit, of all models over the same stretch, so they stay in step.

    Attributes:
        start: number of the first frame.
        rgb: frames of each model over white.
        depth: the same frames as depth in grey, near dark, background white.
    """

    start: int
    rgb: Mapping[str, UInt8[np.ndarray, "f h w 3"]]
    depth: Mapping[str, UInt8[np.ndarray, "f h w 3"]]


@dataclass(frozen=True)
class Views:
    """Pictures from poses the caller asked for, a model at a time."""

    name: str
    rgb: UInt8[np.ndarray, "n h w 3"]


@dataclass(frozen=True)
class MeshReady:
    """The surface of one INR as a GLB file; None where the field holds no surface."""

    name: str
    glb: bytes | None


@dataclass(frozen=True)
class Done:
    """All is rendered.

    Attributes:
        seconds: time of each stage, "foundation.encode", "scratch.bake", "orbit", …
    """

    seconds: Mapping[str, float]


Event = Progress | Encoded | Frames | Views | MeshReady | Done
