"""A class in front of one server: many clients at once, then many requests one after another.

Every client uploads a picture or a sound, waits for its turn and downloads the networks, which must
be those that the same input gives alone. Meanwhile the page is opened again and again.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import threading
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.app import ServedApp, serve
from bench.timing import bar, row

OPENED_S, MEMORY_GB, GROWN_GB = 1.0, 2.5, 0.1
"""Bars: until the page is open, the most memory, and what it grows by once requests repeat."""
_PATIENCE_S = 1800.0


@dataclass(frozen=True)
class Crowd:
    """How many come, and what they ask for.

    Attributes:
        n_clients: clients at once.
        n_requests: requests that follow, by `n_workers` at a time.
        size, seconds: of the orbits.
    """

    n_clients: int = 64
    n_requests: int = 500
    n_workers: int = 8
    size: int = 64
    seconds: float = 0.5


@dataclass(frozen=True)
class Answer:
    """What a client got.

    Attributes:
        digests: SHA-256 of the networks of each model; empty if the request was refused.
        told_place: the client was told how many are before it.
        total_s: from the request to its answer.
    """

    digests: Mapping[str, str]
    told_place: bool
    total_s: float


class Visitor:
    """A client that speaks to the server as a browser does, in a session of its own."""

    def __init__(self, url: str, events: Mapping[str, int]):
        self.http = httpx.Client(base_url=url, timeout=_PATIENCE_S)
        self.events, self.session = events, secrets.token_hex(6)

    def ask(self, path: Path, crowd: Crowd) -> Answer:
        """Send a file to the function for its kind, and take its networks home."""
        began = time.perf_counter()
        with path.open("rb") as file:
            sent = self.http.post("/gradio_api/upload", files={"files": (path.name, file)})
        if sent.status_code != 200:
            return Answer({}, False, time.perf_counter() - began)
        meta = {
            "path": sent.json()[0],
            "orig_name": path.name,
            "meta": {"_type": "gradio.FileData"},
        }
        if path.suffix in (".flac", ".wav", ".ogg", ".mp3"):
            name, data = "sound_to_network", [meta, 8000, "both"]
        else:
            name, data = "photo_to_object", [meta, None, crowd.size, crowd.seconds, 20, 0, "both"]
        body = {"data": data, "fn_index": self.events[name], "session_hash": self.session}
        joined = self.http.post("/gradio_api/queue/join", json=body)
        answer, told = self._listen() if joined.status_code == 200 else (None, False)
        files = answer["files"] if answer else {}
        digests = {name: self._digest(one["network"]["url"]) for name, one in files.items()}
        return Answer(digests, told, time.perf_counter() - began)

    def _listen(self) -> tuple[dict[str, Any] | None, bool]:
        told, last = False, None
        where = f"/gradio_api/queue/data?session_hash={self.session}"
        with self.http.stream("GET", where) as lines:
            for line in lines.iter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                told = told or message.get("rank") is not None
                if message["msg"] == "process_completed":
                    last = message["output"]["data"][0] if message["success"] else None
                    break
        return last, told

    def _digest(self, url: str) -> str:
        with zipfile.ZipFile(io.BytesIO(self.http.get(url).content)) as archive:
            return hashlib.sha256(archive.read("inr.safetensors")).hexdigest()

    def open_page(self) -> float:
        """Seconds until the server has answered with the example that the page opens with."""
        began = time.perf_counter()
        body = {"data": [], "fn_index": self.events["open_page"], "session_hash": self.session}
        self.http.post("/gradio_api/run/predict", json=body).raise_for_status()
        return time.perf_counter() - began


def bench_load(
    weights: Path,
    *,
    inputs: Sequence[Path],
    device: str = "cpu",
    threads: int | None = None,
    crowd: Crowd = Crowd(),
) -> dict[str, Any]:
    """What a crowd meets, and what it leaves behind.

    Args:
        weights: folder of the checkpoints of both tasks.
        inputs: pictures and sounds; clients take them by turns.
        device: "cpu" or "cuda".
        threads: CPU threads of torch.
        crowd: how many come.

    Raises:
        RuntimeError: the app fails.
    """
    with serve(weights, device=device, threads=threads) as app:
        events = events_of(app)
        alone = {path: Visitor(app.url, events).ask(path, crowd).digests for path in inputs}
        with _opening(Visitor(app.url, events)) as opened:
            at_once = _asked(app, events, inputs, crowd, n=crowd.n_clients, at_once=True)
            after = [_held(app)]
            later = []
            for n in _shares(crowd.n_requests, 5):
                later += _asked(app, events, inputs, crowd, n=n, at_once=False)
                after.append(_held(app))
        peak = app.peak_gb()
    return told(alone, at_once, later, opened, after, peak)


def events_of(app: ServedApp) -> dict[str, int]:
    """By which number the page calls each event that has a name."""
    config = httpx.get(f"{app.url}/config", timeout=60).json()
    return {one["api_name"]: one["id"] for one in config["dependencies"] if one["api_name"]}


def _asked(
    app: ServedApp, events: Mapping[str, int], inputs: Sequence[Path], crowd: Crowd, *,
    n: int, at_once: bool,
) -> list[tuple[Path, Answer]]:  # fmt: skip
    """So many requests for the inputs by turns; each client has a session of its own."""
    paths = [inputs[k % len(inputs)] for k in range(n)]
    gate = threading.Barrier(n if at_once else 1)

    def one(path: Path) -> Answer:
        if at_once:
            gate.wait()
        return Visitor(app.url, events).ask(path, crowd)

    with ThreadPoolExecutor(n if at_once else crowd.n_workers) as pool:
        return list(zip(paths, pool.map(one, paths), strict=True))


@contextmanager
def _opening(visitor: Visitor) -> Iterator[list[float]]:
    """Open the page each second; yields how long that took, as it is measured."""
    found, done = [visitor.open_page()], threading.Event()

    def again() -> None:
        while not done.wait(1.0):
            found.append(visitor.open_page())

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


def _held(app: ServedApp) -> dict[str, float]:
    """What the server's process holds now."""
    proc = Path(f"/proc/{app.process.pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    files = [path for path in app.temporary.rglob("*") if path.is_file()]
    return {
        "memory": int(status["VmRSS"].split()[0]) * 1024 / 1e9,
        "threads": int(status["Threads"]),
        "handles": len(list((proc / "fd").iterdir())),
        "temporary files": sum(path.stat().st_size for path in files) / 1e9,
    }


def _shares(n: int, parts: int) -> list[int]:
    return [n * (k + 1) // parts - n * k // parts for k in range(parts)]


def told(
    alone: Mapping[Path, Mapping[str, str]],
    at_once: Sequence[tuple[Path, Answer]],
    later: Sequence[tuple[Path, Answer]],
    opened: Sequence[float],
    after: Sequence[Mapping[str, float]],
    peak_gb: float,
) -> dict[str, Any]:
    asked = [*at_once, *later]
    answered = [(path, answer) for path, answer in asked if answer.digests]
    mixed = sum(answer.digests != alone[path] for path, answer in answered)
    units = {"memory": "GB", "temporary files": "GB"}
    rows = {
        "clients at once": row([len(at_once)], ""),
        "of them answered": row([sum(bool(answer.digests) for _, answer in at_once)], ""),
        "of them told their place": row([sum(answer.told_place for _, answer in at_once)], ""),
        "requests that followed": row([len(later)], ""),
        "of them answered afterwards": row([sum(bool(answer.digests) for _, answer in later)], ""),
        "answers that were another's": row([mixed], ""),
        "last of the clients at once": row([max(answer.total_s for _, answer in at_once)], "s"),
        "the page, opened meanwhile": row([*opened], "s"),
        "the page, at the longest": row([max(opened)], "s"),
        "peak memory": row([peak_gb], "GB"),
        "memory that it grew by": row([after[-1]["memory"] - after[1]["memory"]], "GB"),
        **{name: row([one[name] for one in after], units.get(name, "")) for name in after[0]},
    }
    limits = {
        "the page, at the longest": OPENED_S,
        "peak memory": MEMORY_GB,
        "memory that it grew by": GROWN_GB,
    }
    return {"rows": rows, "bars": [bar(name, rows[name], below=b) for name, b in limits.items()]}
