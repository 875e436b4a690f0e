"""What came out for the examples: made once, kept as long as the app runs, shown to everybody."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

Answer = TypeVar("Answer")


class KeptAnswers(Generic[Answer]):
    """Results of files that many visitors choose, in a folder of their own.

    Args:
        digests: SHA-256 of the files whose results are kept; those of others are not.
    """

    def __init__(self, digests: frozenset[str]):
        self.digests = digests
        self._folder = tempfile.TemporaryDirectory(prefix="hyperdemo-answers-")
        self._results: dict[str, Answer] = {}
        self._lock = threading.Lock()

    def find(self, digest: str) -> Answer | None:
        """The result of a file, if it is kept."""
        with self._lock:
            return self._results.get(digest)

    def keep(self, digest: str, result: Answer) -> None:
        """Copy a result's files, if it is one to keep and the first of its kind.

        Args:
            digest: of what it came of.
            result: frozen dataclasses that hold paths, also in mappings and tuples; no two of
                their files have one name.
        """
        with self._lock:
            if digest not in self.digests or digest in self._results:
                return
            folder = Path(self._folder.name) / digest
            folder.mkdir()
            self._results[digest] = _copied(result, folder)


def _copied(value: Any, folder: Path) -> Any:
    """The same value, whose files lie in a folder."""
    if isinstance(value, Path):
        return Path(shutil.copy(value, folder))
    if isinstance(value, Mapping):
        return {key: _copied(one, folder) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_copied(one, folder) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        held = {one.name: _copied(getattr(value, one.name), folder) for one in fields(value)}
        return replace(value, **held)
    return value
