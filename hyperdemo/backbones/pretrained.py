"""Networks of timm by name, and their pretrained weights from a file or the hub."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import timm
from safetensors.torch import load_file
from torch import Tensor, nn


class NoWeights(ValueError):
    """Pretrained weights that are not to be had here."""


def create(name: str, *, hub: bool, options: Mapping[str, Any]) -> nn.Module:
    """A network of timm's without its classifier.

    Args:
        name: as timm lists it, with or without the tag of its weights.
        hub: with timm's own weights, from the hub or its cache.
        options: keyword arguments for timm.

    Raises:
        NoWeights: the hub cannot be reached, or its weights do not fit.
        ValueError: no such network, or one that these options do not suit.
    """
    if name not in timm.list_models(pretrained=False) and "." not in name:
        raise ValueError(f"timm {timm.__version__} has no model named {name!r}")
    try:
        return timm.create_model(name, pretrained=hub, num_classes=0, **options)
    except Exception as error:
        if hub and not isinstance(error, TypeError):
            raise NoWeights(
                f"the pretrained weights of {name!r} could not be had from the hub "
                f"({type(error).__name__}). Connect to the internet once, so that they are "
                "cached, or give a safetensors file in timm's naming instead"
            ) from error
        raise ValueError(f"timm cannot build {name!r}: {error}") from error


def read_weights(path: Path, *, remedy: str) -> dict[str, Tensor]:
    """Tensors of a safetensors file.

    Raises:
        NoWeights: there is no such file; the message ends with the remedy.
    """
    if not path.is_file():
        raise NoWeights(f"there is no backbone file {path}; {remedy}")
    return load_file(path)


def load_strict(network: nn.Module, state: Mapping[str, Tensor], *, path: Path) -> None:
    """Take over the weights of a file, all of them and no others.

    Raises:
        ValueError: one is missing, left over or of another shape.
    """
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ValueError(f"{path} does not hold the weights of this backbone: {error}") from error


def open_layer_scales(network: nn.Module) -> None:
    """Set the LayerScales of a random network to 1, as if it had none.

    timm starts them at 1e-5 or less, which suits hundreds of thousands of steps; in a short
    training the blocks would hardly act, and a comparison would flatter pretrained weights.
    """
    for name, parameter in network.named_parameters():
        if name.rpartition(".")[2] == "gamma":
            nn.init.ones_(parameter)
