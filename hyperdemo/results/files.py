"""The files that pictures and sounds leave alike: networks, and `result.json`."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hyperdemo
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import Task
from hyperdemo.inr.description import Exported

FORMAT = "hyperdemo-result-1"
"""What `docs/result.schema.json` describes; the number goes up when a reader could break."""


def origin(loaded: LoadedModel) -> dict[str, str]:
    """Which model wrote a network, and from which commit that was trained."""
    return {"model": loaded.name, "git": str(loaded.facts.get("git", "unknown"))}


def write_network(folder: Path, exported: Exported) -> dict[str, Any]:
    """Write `inr.safetensors` and `inr.json`; returns what `result.json` says of any network."""
    (folder / "inr.safetensors").write_bytes(exported.safetensors)
    (folder / "inr.json").write_text(json.dumps(exported.description, indent=1) + "\n")
    made_by = exported.description["provenance"]
    return {
        "checkpoint": made_by["model"],
        "checkpoint_git": made_by["git"],
        "inr_bytes": len(exported.safetensors),
    }


def zip_network(folder: Path) -> Path:
    """Pack what `write_network` wrote into `network.zip` beside it; returns its path."""
    with zipfile.ZipFile(folder / "network.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("inr.safetensors", "inr.json"):
            archive.write(folder / name, name)
    return folder / "network.zip"


def write_result(
    out: Path,
    task: Task,
    facts: Mapping[str, Any],
    *,
    seconds: Mapping[str, float],
    models: Mapping[str, Mapping[str, Any]],
) -> Path:
    """Write `result.json`: what `docs/result.schema.json` asks of all runs, and facts of the task.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not know.
    """
    result = {
        "format": FORMAT,
        "task": task,
        "hyperdemo": hyperdemo.__version__,
        **facts,
        "seconds": {stage: round(s, 4) for stage, s in seconds.items()},
        "models": models,
    }
    path = out / "result.json"
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    return path
