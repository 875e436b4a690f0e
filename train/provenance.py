"""What a number needs beside it to be understood, and repeated, later."""

from __future__ import annotations

import json
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
    """The commit of a checkout, "-dirty" behind it if files differ; "unknown" outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def resumed(facts: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Facts of a run that may have begun before: those that it began with, and where it went on.

    Args:
        facts: of what runs now, as `provenance` and the run give them.
        path: where the facts of the run are, if it has begun.

    Returns:
        `facts` as they are for a new run; else those at `path`, the configuration renewed, with
        the code that went on with it in "resumed_at" where that is another.
    """
    if not path.is_file():
        return dict(facts)
    known = json.loads(path.read_text())
    places = known.get("resumed_at", [])
    if facts["git"] not in (known["git"], *places):
        known["resumed_at"] = [*places, facts["git"]]
    return known | {"config": facts["config"]} if "config" in facts else known
