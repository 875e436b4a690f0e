"""What the page shows of a hypernetwork's inside, as one file that a script reads.

One gzip stream, little-endian: the length of a JSON header (uint32), the header, then the arrays
that it lists by name, dtype and shape, in that order, each padded to four bytes.
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from hyperdemo.config import SAMPLE_RATE_HZ, ModelConfig
from hyperdemo.inr import ModulatedInrs, WrittenSound
from hyperdemo.inr.radiance import frequencies
from hyperdemo.inr.sound import angular_frequencies
from hyperdemo.inside import Inside

_LENGTH = struct.Struct("<I")
_FAST = 1


def pack_inside(
    config: ModelConfig,
    framed: UInt8[np.ndarray, "s s 3"],
    inside: Inside,
    *,
    other: ModulatedInrs | None = None,
) -> bytes:
    """The file of one model and picture.

    Args:
        config: of the model.
        framed: the picture as the model reads it.
        inside: what went on.
        other: what the same model writes for another picture, to morph to.

    Raises:
        ValueError: a model that does not write masks for every layer, or writes biases too.
    """
    if config.algorithm != "trans-inr" or config.biases != "shared":
        raise ValueError(
            "only networks written as masks with shared biases can be shown, got "
            f"{config.algorithm!r} with biases {config.biases!r}"
        )
    arrays = {
        "picture": framed,
        "attention": np.rint(65535 * inside.attention.cpu().numpy()).astype(np.uint16),
        "rollout": inside.rollout.cpu().numpy(),
    }
    written = inside.written
    for layer, (base, mask, bias) in enumerate(
        zip(written.base, written.masks, written.biases, strict=True)
    ):
        arrays[f"base{layer}"] = base.detach().cpu().numpy()
        arrays[f"mask{layer}"] = mask[0].cpu().numpy()
        arrays[f"bias{layer}"] = bias.detach().cpu().numpy()
        if other is not None:
            arrays[f"other{layer}"] = other.masks[layer][0].cpu().numpy()
    header = {
        "freqs": frequencies(config.field).tolist(),
        "densityScale": config.field.density_scale,
        "unitOutput": written.unit_output,
    }
    return _pack(header, arrays)


def pack_sound(written: WrittenSound) -> bytes:
    """The file of the networks that one model writes for a sound, one for each stretch.

    Raises:
        ValueError: networks that were not written as masks alone.
    """
    config, inrs = written.config, written.inrs
    if inrs.composed or inrs.shifts or not all(mask.shape[2] for mask in inrs.masks):
        raise ValueError("only networks written as masks with shared biases can be shown")
    arrays = {"gains": inrs.gains.cpu().numpy()}
    for layer, (base, masks, bias) in enumerate(
        zip(inrs.base, inrs.masks, inrs.biases, strict=True)
    ):
        arrays[f"base{layer}"] = base.detach().cpu().numpy()
        arrays[f"mask{layer}"] = masks.cpu().numpy()
        arrays[f"bias{layer}"] = bias.detach().cpu().numpy()
    header = {
        "freqs": angular_frequencies(config).tolist(),
        "stretch": config.stretch,
        "overlap": config.overlap,
        "rate": SAMPLE_RATE_HZ,
        "samples": written.n_samples_at(SAMPLE_RATE_HZ),
        "scale": config.scale,
        "unitOutput": inrs.unit_output,
    }
    return _pack(header, arrays)


def _pack(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    listed = [[name, a.dtype.name, list(a.shape)] for name, a in arrays.items()]
    text = _padded(json.dumps({**header, "arrays": listed}).encode())
    parts = [_LENGTH.pack(len(text)), text, *(_padded(a.tobytes()) for a in arrays.values())]
    return gzip.compress(b"".join(parts), _FAST, mtime=0)


def _padded(part: bytes) -> bytes:
    return part + b" " * (-len(part) % 4)
