"""What a caller may name as a file: what was uploaded before, or comes with the request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from contextlib import suppress
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from hyperdemo.media.image import MAX_FILE_BYTES

NO_UPLOAD = "expected a file that was uploaded before, got a path that is none"


def uploaded(path: str) -> Path:
    """A path of the caller's, with links followed; it may be gone by now.

    Raises:
        ValueError: it leads out of the folder of uploads.
    """
    folder = Path(get_upload_folder()).resolve()
    try:
        found = Path(path).resolve()
    except (OSError, ValueError):  # a name too long, or with a null in it
        raise ValueError(NO_UPLOAD) from None
    if not found.is_relative_to(folder) or found == folder:
        raise ValueError(NO_UPLOAD)
    return found


def sweep_uploads(demo: gr.Blocks, *, age_s: int | float) -> None:
    """Remove what lies among the uploads for longer, such as what came in data URLs or was left.

    Gradio does so with what a component took. What the page itself shows stays. A copy has its
    original's time of change, which may be of long ago: what counts is when it came here.
    """
    shown = set().union(*(block.keep_in_cache for block in demo.blocks.values()))
    for path in list(Path(get_upload_folder()).rglob("*")):
        with suppress(OSError):  # somebody else was first
            if path.is_dir():
                continue
            if str(path) not in shown and time.time() - path.stat().st_ctime > age_s:
                path.unlink()
                path.parent.rmdir()


def from_data_url(url: str) -> Path:
    """The file that a `data:` URL holds, written among the uploads, whatever it says it is.

    Raises:
        ValueError: no such URL, or one that holds too much.
    """
    head, comma, text = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise ValueError("expected an uploaded file or a data: URL in base64, got neither")
    if len(text) > MAX_FILE_BYTES // 3 * 4:
        raise ValueError(f"expected a file of at most {MAX_FILE_BYTES // 2**20} MiB, got more")
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError("expected a data: URL in base64, got one that is damaged") from None
    folder = Path(get_upload_folder()) / hashlib.sha256(content).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "data"
    path.write_bytes(content)
    return path
