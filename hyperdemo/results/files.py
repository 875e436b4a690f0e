"""The files that pictures and sounds leave alike: networks, and `result.json`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hyperdemo
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.inr.description import Exported


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


def write_result(
    out: Path,
    facts: Mapping[str, Any],
    *,
    seconds: Mapping[str, float],
    models: Mapping[str, Mapping[str, Any]],
) -> Path:
    """Write `result.json`: the version, facts, the seconds of each stage and the models.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not know.
    """
    result = {
        "hyperdemo": hyperdemo.__version__,
        **facts,
        "seconds": {stage: round(s, 4) for stage, s in seconds.items()},
        "models": models,
    }
    path = out / "result.json"
    path.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    return path
