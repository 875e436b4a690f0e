"""A device to compute on, and a clock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch

MODEL_NAMES = ("foundation", "scratch")


def choose_device(name: str | None = None) -> torch.device:
    """The GPU if there is one, else the CPU; or the one asked for.

    Raises:
        ValueError: no such device.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"device must be 'cpu' or 'cuda', got {name!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device 'cuda' was asked for, but torch sees no GPU; use 'cpu'")
    return device


class Stages:
    """Wall-clock seconds by stage; a stage entered again adds to its time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - started
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed
