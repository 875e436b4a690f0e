"""The one writer of `weights/results.json`, safe for several commands at once."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hyperdemo.results.recorded import read_recorded


def update(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a results file in place, one process at a time; a kill leaves the previous file.

    Args:
        path: of the file; where there is none, `change` is given an empty dictionary.
        change: changes what the file holds in place.

    Raises:
        ValueError: a number is NaN or infinite, which JSON does not know.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The lock is a file of its own, since the results file is replaced and not written to.
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        results = read_recorded(path) if path.is_file() else {}
        change(results)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")
        os.replace(partial, path)
