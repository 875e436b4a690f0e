"""Files in parts of a largest size, each with its checksum: how things travel either way."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

MIB = 2**20


def split(files: Mapping[str, Path], out: Path, *, name: str, limit: int) -> list[Path]:
    """Write `NAME-1.part`, `NAME-2.part`, … and `NAME.json`, which says what they should be.

    Args:
        files: what goes in, by the name under which it comes out.
        limit: of a part, in bytes.

    Returns:
        The parts, in order.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(f"{name}-*.part"):
        old.unlink()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for known, path in files.items():
            archive.add(path, arcname=known)
    data = packed.getbuffer()
    parts, rows = [], []
    for number, start in enumerate(range(0, len(data), limit), start=1):
        parts.append(out / f"{name}-{number}.part")
        piece = bytes(data[start : start + limit])
        parts[-1].write_bytes(piece)
        rows.append({"file": parts[-1].name, "sha256": hashlib.sha256(piece).hexdigest()})
    (out / f"{name}.json").write_text(json.dumps({"parts": rows}, indent=1) + "\n")
    return parts


def missing(name: str, folders: Sequence[Path]) -> list[str]:
    """The parts that no folder holds whole.

    Raises:
        ValueError: no folder says what the parts are.
    """
    return [row["file"] for row in _rows(name, folders) if _find(row, folders) is None]


def join(name: str, folders: Sequence[Path], out: Path) -> list[Path]:
    """Put the files together from parts that may lie in several folders; returns them.

    Raises:
        ValueError: a part is missing or damaged.
    """
    found = [(row["file"], _find(row, folders)) for row in _rows(name, folders)]
    if absent := [file for file, path in found if path is None]:
        raise ValueError(f"missing or damaged: {', '.join(absent)}; fetch them again")
    data = io.BytesIO(b"".join(path.read_bytes() for _, path in found if path))
    out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=data) as archive:
        # Pythons before 3.11.4 have no filters; the parts are our own.
        archive.extractall(out, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        return [out / member.name for member in archive.getmembers()]


def _rows(name: str, folders: Sequence[Path]) -> list[dict[str, str]]:
    known = next((f / f"{name}.json" for f in folders if (f / f"{name}.json").is_file()), None)
    if known is None:
        raise ValueError(f"no {name}.json in {', '.join(map(str, folders))}")
    return json.loads(known.read_text())["parts"]


def _find(row: Mapping[str, str], folders: Sequence[Path]) -> Path | None:
    for folder in folders:
        path = folder / row["file"]
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]:
            return path
    return None
