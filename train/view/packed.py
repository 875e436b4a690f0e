"""Large tensors that are made once, kept in files and mapped into memory.

Runs side by side then share one copy, and a run that goes on starts at once.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

Allocate = Callable[[str, tuple[int, ...]], UInt8[Tensor, "*shape"]]
"""Room for a tensor of a name and a shape, to be filled in place."""


def in_memory(name: str, shape: tuple[int, ...]) -> UInt8[Tensor, "*shape"]:
    """Room in memory alone."""
    return torch.empty(shape, dtype=torch.uint8)


def kept(
    folder: Path, make: Callable[[Allocate], dict[str, Any]]
) -> tuple[dict[str, UInt8[Tensor, "*shape"]], dict[str, Any]]:
    """What `make` fills and returns: from the folder, or made there if it is not yet.

    Args:
        folder: one for each content; it appears under its name only when it is complete.
        make: fills the tensors that it allocates; returns what else belongs to them, of types that
            `torch.load` reads with `weights_only`.
    """
    if not folder.is_dir():
        draft = folder.with_name(f"{folder.name}.{os.getpid()}.part")
        draft.mkdir(parents=True)
        shapes: dict[str, tuple[int, ...]] = {}

        def allocate(name: str, shape: tuple[int, ...]) -> Tensor:
            shapes[name] = shape
            return _mapped(draft / name, shape, shared=True)

        try:
            rest = make(allocate)
        except BaseException:
            shutil.rmtree(draft)
            raise
        torch.save({"shapes": shapes, "rest": rest}, draft / "rest.pt")
        try:
            draft.rename(folder)
        except OSError:  # another run was first, with the same content
            shutil.rmtree(draft)
    about = torch.load(folder / "rest.pt", weights_only=True)
    # Private pages: whoever writes into the tensors changes nothing in the files.
    tensors = {
        name: _mapped(folder / name, shape, shared=False) for name, shape in about["shapes"].items()
    }
    return tensors, about["rest"]


def _mapped(path: Path, shape: tuple[int, ...], *, shared: bool) -> UInt8[Tensor, "*shape"]:
    size = math.prod(shape)
    return torch.from_file(str(path), shared=shared, size=size, dtype=torch.uint8).view(shape)
