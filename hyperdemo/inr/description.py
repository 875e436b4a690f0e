"""Files of networks that describe themselves: safetensors, with a description in the metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor

Config = TypeVar("Config")


@dataclass(frozen=True)
class Exported:
    """Networks, ready to be saved.

    Attributes:
        safetensors: the file's content.
        description: what the file's metadata holds, for a readable `.json` beside it.
    """

    safetensors: bytes
    description: dict[str, Any]


def pack(tensors: Mapping[str, Tensor], description: dict[str, Any]) -> Exported:
    """Some tensors as a file, in float32; its format is `description["format"]`.

    The same tensors and description make the same bytes.
    """
    stored = {
        name: tensor.detach().to("cpu", torch.float32).contiguous()
        for name, tensor in tensors.items()
    }
    metadata = {"format": description["format"], "description": json.dumps(description)}
    data = safetensors.torch.save(stored, metadata=metadata)
    return Exported(_with_sorted_header(data), description)


def read_description(data: bytes, *, file_format: str) -> dict[str, Any]:
    """The description in a file's metadata; safetensors' own loader of bytes leaves it out.

    Raises:
        ValueError: the bytes are no such file, or one of another format.
    """
    try:
        safetensors.deserialize(data)
        metadata = _split(data)[0]["__metadata__"]
        if metadata["format"] != file_format:
            raise ValueError(f"format {metadata['format']!r} instead of {file_format!r}")
        return json.loads(metadata["description"])
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"a network exported by hyperdemo expected: {error!r}") from error


def read_field(description: Mapping[str, Any], kind: type[Config]) -> Config:
    """The field's configuration in a description.

    Raises:
        ValueError: it is missing, or is no configuration of that kind.
    """
    try:
        return kind(**description["field"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"the file's field configuration is not understood: {error}") from error


def _split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header, behind eight bytes with its length, and the numbers of all tensors."""
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def _with_sorted_header(data: bytes) -> bytes:
    """The same file; safetensors writes the metadata in an order that changes at random."""
    header, numbers = _split(data)
    text = json.dumps(header, sort_keys=True).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + numbers
