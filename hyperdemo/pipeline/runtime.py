"""What every pipeline needs of the machine: a device to compute on, and a clock."""

from __future__ import annotations

import time

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


def device_in_words(device: torch.device) -> str:
    """Name of the GPU, or the CPU with its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


class Stages:
    """Wall-clock seconds by stage; a stage entered again adds to its time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def stage(self, name: str) -> _Stage:
        return _Stage(self.seconds, name)


class _Stage:
    def __init__(self, seconds: dict[str, float], name: str):
        self.seconds, self.name = seconds, name

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        elapsed = time.perf_counter() - self.started
        self.seconds[self.name] = self.seconds.get(self.name, 0.0) + elapsed
