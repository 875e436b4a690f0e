"""One folder for all temporary files of a server: gone when it ends, however it ends."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

PREFIX = "hyperdemo-server-"


def own_scratch() -> Path:
    """Put all temporary files of this process, Gradio's too, into a folder of its own.

    The folder is removed when the process ends, or is told to. One that was killed could not do
    so: folders of processes that are no more are removed here. Call it before Gradio is imported,
    which settles then where it puts what assistants send. Python hears signals in the main
    thread alone: in another one they are left to whoever runs the process.
    """
    for old in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        lock = _locked(old)
        if lock is not None:
            shutil.rmtree(old, ignore_errors=True)
            os.close(lock)
    folder = tempfile.mkdtemp(prefix=PREFIX)
    while _locked(Path(folder)) is None:  # another one that starts takes it for one that was left
        folder = tempfile.mkdtemp(prefix=PREFIX)
    tempfile.tempdir = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    return Path(folder)


def _locked(folder: Path) -> int | None:
    """Lock a folder, which the system undoes when a process ends; None if another one holds it.

    Not by the process's number: containers that share a disk each have a process 1.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return None  # another user's, or gone
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
