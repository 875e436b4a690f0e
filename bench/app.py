"""The running app: start-up, peak memory and answers.

Each round starts it in a new process. A client of its API then sends a picture and a sound, and
both again.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gradio_client import Client, handle_file

from bench.timing import bar, rounds, row, stamped

READY_S, MEMORY_GB, FIRST_S = 10.0, 2.0, 2.5
"""Bars: start-up after the imports, peak of memory, and submission to what can be played first."""

ROOT = Path(__file__).resolve().parent.parent
_PATIENCE_S = 300.0


class ServedApp:
    """The running app.

    Attributes:
        url: where it answers.
        temporary: the folder in which it may keep files.
        import_s: seconds from the start of its process until all is imported.
        ready_s: seconds from then until its models are loaded and warm, and the server answers.
    """

    def __init__(self, process: subprocess.Popen, url: str, log: Path):
        self.process, self.url, self.log = process, url, log
        self.temporary = log.parent / "temporary"
        started = time.perf_counter()
        self._line("imported")
        imported = time.perf_counter()
        self.import_s = imported - started
        self._wait_for_an_answer()
        self.ready_s = time.perf_counter() - imported

    def peak_gb(self) -> float:
        """The most memory that the process has held at once, in 10⁹ bytes."""
        self.process.stdin.write("peak\n")
        self.process.stdin.flush()
        return int(self._line("peak")) / 1e9

    def _line(self, start: str) -> str:
        for line in self.process.stdout:
            if line.startswith(start):
                return line.removeprefix(start)
        raise self._gone()

    def _wait_for_an_answer(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise self._gone()
            try:
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            except (urllib.error.URLError, OSError):
                time.sleep(0.02)
        raise RuntimeError(f"the app did not answer within {_PATIENCE_S:.0f} s")

    def _gone(self) -> RuntimeError:
        return RuntimeError(f"the app ended before it answered:\n{self.log.read_text()[-2000:]}")


@contextmanager
def serve(weights: Path, *, device: str, threads: int | None = None) -> Iterator[ServedApp]:
    """Start the app on a free port, and end it.

    Raises:
        RuntimeError: it ends by itself, or does not answer.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bench.served", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--device", device, "--weights", str(Path(weights).resolve())]
    environment = os.environ | {"GRADIO_ANALYTICS_ENABLED": "0", "HF_HUB_OFFLINE": "1"}
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
        log = Path(folder) / "app.log"
        (log.parent / "temporary").mkdir()
        environment["TMPDIR"] = str(log.parent / "temporary")
        with log.open("w") as errors:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        try:
            yield ServedApp(process, f"http://127.0.0.1:{port}", log)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def bench_app(
    weights: Path,
    *,
    pictures: Sequence[Path],
    sounds: Sequence[Path],
    repeats: int,
    device: str = "cpu",
    threads: int | None = None,
) -> dict[str, Any]:
    """Start-up, memory and answers of the app with given weights.

    Args:
        weights: folder of the checkpoints of both tasks.
        pictures: one per round, again from the first when they are used up.
        sounds: the same.
        repeats: rounds, each with a process of its own.
        device: "cpu" or "cuda".
        threads: CPU threads of torch.

    Raises:
        RuntimeError: the app fails.
    """
    shown = zip(itertools.cycle(pictures), itertools.cycle(sounds), strict=False)

    def once() -> dict[str, float]:
        picture, sound = next(shown)
        with serve(weights, device=device, threads=threads) as app:
            return one_round(app, picture, sound)

    found = rounds(once, repeats=repeats, warm_up=False)
    rows = {name: row(values, "GB" if "memory" in name else "s") for name, values in found.items()}
    limits = {
        "start-up after the imports": READY_S,
        "peak memory after a picture and a sound": MEMORY_GB,
        "picture: first chunk": FIRST_S,
        "sound: first piece": FIRST_S,
    }
    return {"rows": rows, "bars": [bar(name, rows[name], below=b) for name, b in limits.items()]}


def one_round(app: ServedApp, picture: Path, sound: Path) -> dict[str, float]:
    """All that is measured of one process of the app."""
    found = {
        "imports": app.import_s,
        "start-up after the imports": app.ready_s,
        "peak memory when it is up": app.peak_gb(),
    }
    with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
        client = Client(app.url, verbose=False, download_files=folder)
        for again in ("", " again"):
            given = [handle_file(picture), None, 256, 4, 20, False]  # as the page starts with
            first_s, last_s = answer_seconds(client, given, event="generate", playable=has_film)
            found[f"picture{again}: first chunk"] = first_s
            found[f"picture{again}: last update"] = last_s
            given = [handle_file(sound)]
            first_s, last_s = answer_seconds(
                client, given, event="resynthesise", playable=has_sound
            )
            found[f"sound{again}: first piece"] = first_s
            found[f"sound{again}: last update"] = last_s
            if not again:
                found["peak memory after a picture and a sound"] = app.peak_gb()
    return found


def answer_seconds(
    client: Client, given: Sequence[Any], *, event: str, playable: Callable[[Any], bool]
) -> tuple[float, float]:
    """Seconds from submitting until there is something to play, and until the last update.

    Raises:
        RuntimeError: nothing that can be played came.
    """

    def updates() -> Iterator[Any]:
        job = client.submit(*given, fn_index=page_event(client, event))
        yield from job
        job.result()  # a failure ends the iteration like success; this raises it

    first_s = last_s = None
    for last_s, update in stamped(updates()):
        if first_s is None and playable(update):
            first_s = last_s
    if first_s is None or last_s is None:
        raise RuntimeError(f"{event} gave nothing that can be played")
    return first_s, last_s


def page_event(client: Client, name: str) -> int:
    """The index of one of the page's own events, which a client calls as a browser does: they are
    hidden from programs, since what they answer changes with the page."""
    dependencies = client.config["dependencies"]
    (number,) = [one["id"] for one in dependencies if one["api_name"] == name]
    client.endpoints[number].is_valid = True
    return number


def has_film(update: Sequence[Any]) -> bool:
    """A stretch of the orbits is among the outputs."""
    return any(isinstance(value, str) and value.endswith(".m3u8") for value in update)


def has_sound(update: Sequence[Any]) -> bool:
    """All tracks of the player have something to play, not the original alone."""
    players = [value for value in update if isinstance(value, dict) and "tracks" in value]
    return any(all(track["pieces"] for track in player["tracks"]) for player in players)
