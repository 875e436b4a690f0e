"""The app for a benchmark: says when its imports are done, and on request its peak of memory.

`python -m bench.served [options of app.py]` prints `imported`, then what the app prints. For each
line on its standard input it prints `peak` and bytes; when that is closed, it ends.
"""

from __future__ import annotations

import importlib
import os
import re
import resource
import signal
import sys
import threading
from pathlib import Path

# In this order: what the app imports, and last its own modules.
IMPORTS = ("torch", "numba", "gradio", "hyperdemo.pipeline", "hyperdemo.ui", "app")


def peak_bytes() -> int:
    """The most memory that this process has held at once."""
    try:
        # Linux hands the peak that getrusage reports down from the parent, which may be larger.
        status = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(r"VmHWM:\s*(\d+) kB", status)[1])
    except (OSError, TypeError):
        unit = 1 if sys.platform == "darwin" else 1024
        return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _answer() -> None:
    for _ in sys.stdin:
        print(f"peak {peak_bytes()}", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    for name in IMPORTS:
        importlib.import_module(name)
    print("imported", flush=True)
    threading.Thread(target=_answer, daemon=True).start()
    importlib.import_module("app").main()


if __name__ == "__main__":
    main()
