"""Code and hardware behind a number, so that it can be understood and repeated."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]


def provenance(device: torch.device) -> dict[str, str]:
    """Code, hardware and torch of what runs now, as "git", "hardware" and "torch"."""
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:
        hardware = f"{os.cpu_count()} CPU cores ({platform.machine()})"
    return {"git": git_hash(), "hardware": hardware, "torch": torch.__version__}


def git_hash(root: Path = ROOT) -> str:
    """The commit of a checkout, with "-dirty" if files differ; "unknown" outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def resumed(begun: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a run that goes on: those that it began with, its configuration as it is now, and
    the commits that went on with it in "resumed_at", if others than the first."""
    places = begun.get("resumed_at", [])
    if now["git"] not in (begun["git"], *places):
        places = [*places, now["git"]]
    return {**begun, "config": now["config"]} | ({"resumed_at": places} if places else {})


def trainings_of(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The trainings behind a checkpoint, in order: those it started from, and its own."""
    before = facts.get("started_from")
    return [*(trainings_of(before) if before else ()), facts]
