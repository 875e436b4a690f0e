"""`results.json`: what was measured of the shipped checkpoints, by task.

    {"view": {"splits_file", "splits", "models", ...}, "sound": {...}, "sweeps": {TASK: {...}}}

It once called the sound task "audio", and held the view task at its top; such a file is read as if
it were written today.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FILE_NAME = "results.json"
_VIEW_KEYS = ("splits_file", "splits", "models")


def read_recorded(path: str | Path) -> dict[str, Any]:
    """The content of a results file, old or new.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON object.
    """
    results = json.loads(Path(path).read_text(encoding="utf-8"))
    if not isinstance(results, dict):
        raise ValueError(f"expected a JSON object in {path}, got {type(results).__name__}")
    return _renamed(results)


def _renamed(results: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in results.items() if key not in _VIEW_KEYS}
    if view := {key: results[key] for key in _VIEW_KEYS if key in results}:
        found = {"view": view} | found
    if "audio" in found:
        found = {"sound" if key == "audio" else key: value for key, value in found.items()}
    sweeps = found.get("sweeps")
    if isinstance(sweeps, Mapping) and "audio" in sweeps:
        found["sweeps"] = {
            "sound" if task == "audio" else task: _renamed_runs(sweep) if task == "audio" else sweep
            for task, sweep in sweeps.items()
        }
    return found


def _renamed_runs(value: Any) -> Any:
    """A sweep whose runs are named after today's configs: "audio-cpu …" as "sound-cpu …"."""
    if isinstance(value, Mapping):
        return {_renamed_run(key): _renamed_runs(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed_runs(item) for item in value]
    return _renamed_run(value)


def _renamed_run(value: Any) -> Any:
    is_run = isinstance(value, str) and value.startswith("audio-")
    return "sound-" + value.removeprefix("audio-") if is_run else value
