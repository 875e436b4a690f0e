"""What the pipeline tells its listener while it works: one frozen type an occasion.

Whatever device computes, events hold NumPy arrays, bytes and tensors on the CPU, so that they can
be pickled: the work may go on in another process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from hyperdemo.inr import InrParams, WrittenSound


@dataclass(frozen=True)
class Progress:
    """How far the work is, in [0, 1], and in words what is being done."""

    fraction: float
    message: str


@dataclass(frozen=True)
class Encoded:
    """A hypernetwork has written its INR; once more where it was then fine-tuned on the picture.

    Attributes:
        name: "foundation" or "scratch".
        params: the generated weights, a batch of one.
        seconds: time the encoding, or the fit, took.
    """

    name: str
    params: InrParams
    seconds: float


@dataclass(frozen=True)
class Compared:
    """The picture was compared with the objects that the models practised on.

    Attributes:
        name: the nearest of them, in words.
        kind: its class.
        thumbnail: a small WebP of it; None where its licence asks for credit beside it.
        distance: 1 - cosine of both features, in [0, 2].
        far: whether nearly all new objects of known kinds are nearer to one of training.
        n_objects: how many it was compared with.
    """

    name: str
    kind: str
    thumbnail: bytes | None
    distance: float
    far: bool
    n_objects: int


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
    """Pictures from poses that the caller asked for, one model after the other.

    Attributes:
        start: index of the first of them among the poses.
    """

    name: str
    start: int
    rgb: UInt8[np.ndarray, "n h w 3"]


@dataclass(frozen=True)
class VolumeReady:
    """One baked field as a file that a browser can march through, see `render.volume`.

    Attributes:
        step: of the fine-tuning, where it is on its way; None for what is shown in the end.
    """

    name: str
    volume: bytes
    step: int | None = None


@dataclass(frozen=True)
class MeshReady:
    """The surface of one INR as a GLB file; None where the field holds no surface."""

    name: str
    glb: bytes | None


@dataclass(frozen=True)
class Heard:
    """Consecutive samples of the resyntheses, of all models over the same time, so in step.

    Attributes:
        start: number of the first sample.
        samples: of each model, at the rate that was asked for; full scale is ±1, beyond which
            nothing holds a network back.
    """

    start: int
    samples: Mapping[str, Float[np.ndarray, " n"]]


@dataclass(frozen=True)
class Written:
    """A hypernetwork has written the networks of a whole clip.

    Attributes:
        name: "foundation" or "scratch".
        sound: the networks, to be evaluated at any rate.
        seconds: time the encoding took.
    """

    name: str
    sound: WrittenSound
    seconds: float


@dataclass(frozen=True)
class Done:
    """All is rendered or synthesised.

    Attributes:
        seconds: time of each stage: "foundation.encode", "scratch.bake", "orbit", … of a view,
            "foundation.encode", "foundation.decode", … of a sound.
        device: what it was computed on, in words.
    """

    seconds: Mapping[str, float]
    device: str


Event = (
    Progress | Encoded | Compared | Frames | Views | VolumeReady | MeshReady | Heard | Written
    | Done
)  # fmt: skip
