"""The objects of training as a value, and the file `known.safetensors` that holds it.

The file has three tensors: `features` in float16; `thumbnails`, WebP files one after the other as
bytes, small enough to be handed on to a page as they are; and `ends`, where each of them ends. An
object without a thumbnail ends where the one before does. All else stands in its description.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from hyperdemo.checkpoints import LoadedModel, fingerprint

FILE, FORMAT = "known.safetensors", "hyperdemo-known-1"
FAR_QUANTILE = 0.95
"""Of the distances of new objects of known kinds: what is farther than that is called far."""
FREE = "CC0 1.0"
"""The licence of what is shown: its authors ask for no credit beside the picture."""

_REMEDY = "make it anew with python -m train.view.known, or remove it: the app runs without it"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Nearest:
    """The object of training that a picture is nearest to.

    Attributes:
        index: of the object.
        distance: 1 - cosine of the features, in [0, 2].
        far: whether nearly all new objects of known kinds are nearer to one of training.
    """

    index: int
    distance: float
    far: bool


@dataclass(frozen=True)
class KnownObjects:
    """The n objects that a model practised on, as its own encoder sees them.

    Attributes:
        features: of each object, the mean over views of what `picture_feature` gives, of unit
            length to the accuracy of float16.
        names, kinds, licences: of each object; a kind is its class.
        thumbnails: a small WebP of each; None where the licence asks for credit beside it.
        threshold: distance beyond which a picture is far.
        checkpoint: the model's `fingerprint`.

    Raises:
        ValueError: there is no object, lengths differ, or a number is not finite or out of range.
    """

    features: Float[np.ndarray, "n d"]
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    licences: tuple[str, ...]
    thumbnails: tuple[bytes | None, ...]
    threshold: float
    checkpoint: str

    def __post_init__(self) -> None:
        n = len(self.features)
        lengths = [len(v) for v in (self.names, self.kinds, self.licences, self.thumbnails)]
        if not n or lengths != [n] * 4:
            raise ValueError(
                f"as many names, kinds, licences and thumbnails as features expected, at least "
                f"one, got {lengths} for {n}"
            )
        if not np.isfinite(self.features).all():
            raise ValueError("features that are finite expected")
        norms = np.linalg.norm(self.features.astype(np.float32), axis=1)
        if np.abs(norms - 1).max() > 0.01:
            raise ValueError(
                f"features of unit length expected, got {norms.min():.3g} to {norms.max():.3g}"
            )
        if not 0 < self.threshold < 2:
            raise ValueError(f"a threshold between 0 and 2 expected, got {self.threshold}")
        for name, picture in zip(self.names, self.thumbnails, strict=True):
            if picture is not None and (picture[:4], picture[8:12]) != (b"RIFF", b"WEBP"):
                raise ValueError(f"thumbnails in WebP expected, that of {name!r} is none")

    def __len__(self) -> int:
        return len(self.features)

    def nearest(self, feature: Float[np.ndarray, " d"]) -> Nearest:
        """The object whose feature is nearest to that of a picture, which has unit length.

        Raises:
            ValueError: the feature has another width.
        """
        if feature.shape != self.features.shape[1:]:
            raise ValueError(
                f"a feature of {self.features.shape[1]} numbers expected, got {feature.shape}"
            )
        cosines = self.features.astype(np.float32) @ feature.astype(np.float32)
        index = int(cosines.argmax())
        distance = max(0.0, float(1 - cosines[index]))  # rounding goes below
        return Nearest(index, distance, distance > self.threshold)


def find_known(directory: str | Path, loaded: LoadedModel) -> KnownObjects | None:
    """What a model practised on; None where the file is not there, or is of another training.

    Raises:
        ValueError: the file cannot be used; the message names it, and what to do.
    """
    path = Path(directory) / FILE
    if not path.is_file():
        return None
    known = load_known(path)
    if known.checkpoint == fingerprint(loaded.model):
        return known
    _log.warning("%s is left alone: it is not of %s; %s", path, loaded.name, _REMEDY)
    return None


def save_known(known: KnownObjects, path: Path, *, facts: dict[str, Any] | None = None) -> None:
    """Write the file; `facts` of how it was made stand in its description."""
    pictures = [picture or b"" for picture in known.thumbnails]
    tensors = {
        "features": torch.from_numpy(known.features.astype(np.float16)),
        "thumbnails": torch.frombuffer(bytearray(b"".join(pictures) or b"\0"), dtype=torch.uint8),
        "ends": torch.tensor([len(picture) for picture in pictures]).cumsum(0),
    }
    description = {
        "names": known.names, "kinds": known.kinds, "licences": known.licences,
        "threshold": known.threshold, "checkpoint": known.checkpoint, "facts": facts or {},
    }  # fmt: skip
    metadata = {"format": FORMAT, "description": json.dumps(description)}
    save_file(tensors, path, metadata=metadata)


def load_known(path: Path) -> KnownObjects:
    """Read the file.

    Raises:
        ValueError: it is not there, damaged, of another format, or holds what does not fit
            together; the message names it, and what to do.
    """
    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"the format {FORMAT!r} expected, got {metadata.get('format')!r}")
            about = json.loads(metadata["description"])
            features, pictures, ends = (
                _tensor(file, *kind)
                for kind in (
                    ("features", np.float16, 2), ("thumbnails", np.uint8, 1), ("ends", np.int64, 1)
                )
            )  # fmt: skip
        names, kinds, licences = (tuple(map(str, about[k])) for k in ("names", "kinds", "licences"))
        return KnownObjects(
            features, names, kinds, licences, _cut(pictures.tobytes(), ends),
            float(about["threshold"]), str(about["checkpoint"]),
        )  # fmt: skip
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} cannot be used ({error}); {_REMEDY}") from error


def _tensor(file: Any, name: str, dtype: type, ndim: int) -> np.ndarray:
    tensor = file.get_tensor(name)
    if tensor.dtype != dtype or tensor.ndim != ndim:
        raise ValueError(
            f"{name} of {ndim} dimensions in {np.dtype(dtype)} expected, got {tensor.ndim} in "
            f"{tensor.dtype}"
        )
    return tensor


def _cut(pictures: bytes, ends: np.ndarray) -> tuple[bytes | None, ...]:
    """The files that end at these bytes; None for what is empty."""
    starts = [0, *ends[:-1].tolist()]
    if len(ends) and (ends[-1] > len(pictures) or (np.diff(ends, prepend=0) < 0).any()):
        raise ValueError("thumbnails that follow each other expected")
    return tuple(
        pictures[start:end] or None for start, end in zip(starts, ends.tolist(), strict=False)
    )
