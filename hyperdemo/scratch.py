"""One folder for all temporary files of a server: gone when it ends, however it ends."""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

PREFIX = "hyperdemo-server-"


def own_scratch() -> Path:
    """Put all temporary files of this process, Gradio's too, into a folder of its own.

    The folder is removed when the process ends, or is told to. One that was killed could not do
    so: folders of processes that are no more are removed here. Call it in the main thread, before
    Gradio is imported, which settles then where it puts what assistants send.
    """
    parent = Path(tempfile.gettempdir())
    for old in parent.glob(f"{PREFIX}*"):
        owner = old.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not _lives(int(owner)):
            shutil.rmtree(old, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    tempfile.tempdir = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    return Path(folder)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True
