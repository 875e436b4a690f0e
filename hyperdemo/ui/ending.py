"""The end of a server that is told to end: who computes may finish, who waits or comes is refused.

Whoever tells a container to end kills it ten seconds later.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import gradio as gr

from hyperdemo.ui.turns import FairQueue

FINISH_S = 6.0
"""For what is being computed."""
HEARD_S = 1.5
"""For the last words to reach whoever listens, and for files of an answer to be fetched."""


def serve_until_told(demo: gr.Blocks, *, scratch: Path, **options: Any) -> None:
    """Serve a page until SIGTERM or Ctrl-C; this process ends with it, at the second one at once.

    It ends without Python's own end, which would wait for threads that compute, or abort in the
    middle of their work.

    Args:
        demo: the page, with the queue of `take_fair_turns`.
        scratch: the folder of this process's temporary files, which is removed.
        options: of `Blocks.launch`.
    """
    told = threading.Event()

    def tell(*_: object) -> None:
        if told.is_set():
            _leave(scratch)
        told.set()

    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, tell)
    demo.launch(prevent_thread_lock=True, **options)
    told.wait()
    end(demo)
    _leave(scratch)


def end(demo: gr.Blocks) -> None:
    """Refuse who waits and who comes, let what runs finish within `FINISH_S`, and stop serving."""
    queue = demo._queue
    assert isinstance(queue, FairQueue)
    queue.ending, deadline = True, time.monotonic() + FINISH_S
    while any(queue.active_jobs) and time.monotonic() < deadline:
        time.sleep(0.05)
    queue.refuse_running()
    time.sleep(HEARD_S)
    demo.close(verbose=False)


def _leave(scratch: Path) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
