"""What came out for the examples: made once, kept as long as the app runs, shown to everybody."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hyperdemo.ui.object.stream import Result


class KeptAnswers:
    """Results of pictures that many visitors choose, in a folder of their own.

    Args:
        digests: SHA-256 of the pictures whose results are kept; those of others are not.
    """

    def __init__(self, digests: frozenset[str]):
        self.digests = digests
        self._folder = tempfile.TemporaryDirectory(prefix="hyperdemo-answers-")
        self._results: dict[str, Result] = {}
        self._lock = threading.Lock()

    def find(self, digest: str) -> Result | None:
        """The result of a picture, if it is kept."""
        with self._lock:
            return self._results.get(digest)

    def keep(self, digest: str, result: Result) -> None:
        """Copy a result's files, if it is one to keep and the first for its picture."""
        with self._lock:
            if digest not in self.digests or digest in self._results:
                return
            folder = Path(self._folder.name) / digest
            folder.mkdir()

            def copied(path: Path | None) -> Path | None:
                return None if path is None else Path(shutil.copy(path, folder))

            def all_copied(files: Mapping[str, Path | None]) -> dict[str, Any]:
                return {name: copied(path) for name, path in files.items()}

            self._results[digest] = replace(
                result,
                orbit=copied(result.orbit),
                sheet=copied(result.sheet),
                meshes=all_copied(result.meshes),
                networks=all_copied(result.networks),
                volumes=all_copied(result.volumes),
            )
