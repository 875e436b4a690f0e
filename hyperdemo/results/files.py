"""The files that pictures and sounds leave alike: networks, and `result.json`."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def swapped_in(out: Path, names: Iterable[str]) -> Iterator[Path]:
    """A folder to write results to, which replace those in `out` only once all are there.

    It lies within `out`, which may be all of a disk that one may write to. What else is in `out`
    stays.

    Args:
        out: the folder of the results, made if it is not there.
        names: of models; folders of these names belong to results.
    """
    is_new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=out))
    try:
        new, old = unfinished / "new", unfinished / "old"
        new.mkdir()
        yield new
        old.mkdir()
        # The result, which says what there is, goes first and comes last.
        for name in ("result.json", *names):
            if (out / name).exists():
                (out / name).rename(old / name)
        for made in sorted(new.iterdir(), key=Path.is_file):
            made.rename(out / made.name)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        if is_new and not any(out.iterdir()):
            out.rmdir()


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
