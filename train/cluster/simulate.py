"""What more machines would bring: a model of what could not be measured, for docs/scaling.md.

Three questions: how long a step takes with more workers, whether their data arrives, and how many
replicas answer so many visitors. What is put in is said in `MEASURED` and `ASSUMED`; what comes out
is arithmetic, but for visitors, whose queues are simulated.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from hyperdemo.results.markdown import markdown_table

WORKERS = (1, 2, 4, 8, 16, 32, 64)
VISITORS = (10, 30, 100, 300, 1000)
PATIENCE_S = 5.0
"""So long nineteen of twenty requests wait at most, before they are computed."""


@dataclass(frozen=True)
class Measured:
    """On two cores, as docs/scaling.md says.

    Attributes:
        sheet_bytes: of the views of one object.
        per_shard: objects in a shard.
        decode_s: one core decodes an object's views in.
        render_s: one core renders them in.
        replica_s: both cores compute a photo's answer in, without what the page does.
        page_s: one core's time for what the page does with it.
        answer_bytes: what a replica sends the page.
    """

    sheet_bytes: float = 144e3
    per_shard: int = 256
    decode_s: float = 0.014
    render_s: float = 1.4
    replica_s: float = 2.75
    page_s: float = 1.0
    answer_bytes: float = 78e6


@dataclass(frozen=True)
class Assumed:
    """Of machines that were not here: servers of eight GPUs, config view-gpu.

    Attributes:
        batch: objects of a step, of that config.
        object_s: a GPU's time for one object of it.
        fixed_s: what a step takes beside, whatever its batch.
        node: GPUs of a server.
        near_rate, far_rate: bytes per second between GPUs of one server, and between servers.
        slow_rate: the same between servers with 10 Gbit/s.
        hop_s: a message's time from one GPU to the next.
        think_s: between two requests of a visitor.
    """

    batch: int = 48
    object_s: float = 0.000_65
    fixed_s: float = 0.010
    node: int = 8
    near_rate: float = 200e9
    far_rate: float = 12.5e9
    slow_rate: float = 1.25e9
    hop_s: float = 20e-6
    think_s: float = 60.0


MEASURED, ASSUMED = Measured(), Assumed()


def all_reduce_s(n_bytes: float, workers: int, *, rate: float, hop_s: float) -> float:
    """A ring of workers adds up: each sends 2 (n - 1) pieces of n_bytes / n to the next.

    Args:
        n_bytes: of the gradient.
        rate: bytes per second of the slowest link.
        hop_s: latency of a piece.
    """
    pieces = 2 * (workers - 1)
    return pieces * (n_bytes / workers / rate + hop_s)


def step_s(
    workers: int, each: int, n_bytes: float, *, far_rate: float, assumed: Assumed = ASSUMED
) -> float:
    """A step of so many workers with so many objects each; nothing is hidden behind computing."""
    rate = assumed.near_rate if workers <= assumed.node else far_rate
    sent = all_reduce_s(n_bytes, workers, rate=rate, hop_s=assumed.hop_s)
    return assumed.fixed_s + each * assumed.object_s + sent


def waits_s(
    *, rate_hz: float, service_s: float, servers: int, n: int = 20_000, seed: int = 0
) -> Float[np.ndarray, " n"]:
    """How long each of n requests waits for one of several servers, first come, first served.

    Requests arrive at random, `rate_hz` per second on average, and each takes a server for
    `service_s`.
    """
    between = np.random.default_rng(seed).exponential(1 / rate_hz, n)
    free = [0.0] * servers
    waits = np.empty(n)
    for k, now in enumerate(np.cumsum(between).tolist()):
        begun = max(now, heapq.heappop(free))
        waits[k] = begun - now
        heapq.heappush(free, begun + service_s)
    return waits


def needed(rate_hz: float, service_s: float, patience_s: float = PATIENCE_S) -> int:
    """The fewest servers with which nineteen of twenty requests wait no longer than that."""
    servers = math.floor(rate_hz * service_s) + 1  # with fewer the queue grows for ever
    while True:
        waits = waits_s(rate_hz=rate_hz, service_s=service_s, servers=servers)
        if np.quantile(waits, 0.95) <= patience_s:
            return servers
        servers += 1


def tables(results: Mapping[str, Any]) -> dict[str, str]:
    """The tables of docs/scaling.md by the names of their markers.

    Args:
        results: as recorded; a gradient is as large as the shipped model.
    """
    n_bytes = 4.0 * results["view"]["models"]["foundation"]["trainable_parameters"]
    return {
        "steps": markdown_table(
            ["GPUs", "ms per step, batch 48 in all", "objects/s", "of ideal",
             "objects/s, batch 48 each", "of ideal", "of ideal at 10 Gbit/s"],
            [_steps_row(workers, n_bytes) for workers in WORKERS],
        ),
        "readers": markdown_table(
            ["GPUs", "objects/s that steps take", "new ones/s, one reader per GPU", "new per step",
             "from the store"],
            [_readers_row(workers, n_bytes) for workers in (1, 8, 64)],
        ),
        "objects": markdown_table(
            ["objects", "shards", "on disk", "rendered by 64 cores in", "read once by 64 GPUs in"],
            [_objects_row(n) for n in (694, 50_000, 1_000_000, 10_000_000)],
        ),
        "visitors": markdown_table(
            ["visitors", "photos/s", "replicas of 2 cores", "pages of 1 core",
             "from replicas to pages"],
            [_visitors_row(n) for n in VISITORS],
        ),
    }  # fmt: skip


def _steps_row(workers: int, n_bytes: float) -> list[str]:
    a = ASSUMED
    alone = a.batch / step_s(1, a.batch, n_bytes, far_rate=a.far_rate)
    shared = step_s(workers, a.batch // workers, n_bytes, far_rate=a.far_rate)
    more, slow = (
        workers * a.batch / step_s(workers, a.batch, n_bytes, far_rate=far)
        for far in (a.far_rate, a.slow_rate)
    )
    ideal = workers * alone
    same = [f"{1000 * shared:.1f}", f"{a.batch / shared:,.0f}", _share(a.batch / shared, ideal)]
    return [
        str(workers), *(same if a.batch % workers == 0 else ["–"] * 3),
        f"{more:,.0f}", _share(more, ideal), _share(slow, ideal),
    ]  # fmt: skip


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.0f} %"


def _readers_row(workers: int, n_bytes: float) -> list[str]:
    step = step_s(workers, ASSUMED.batch, n_bytes, far_rate=ASSUMED.far_rate)
    read = workers / MEASURED.decode_s
    return [
        str(workers), f"{workers * ASSUMED.batch / step:,.0f}", f"{read:,.0f}",
        f"{step / MEASURED.decode_s:.1f} of {ASSUMED.batch}",
        f"{read * MEASURED.sheet_bytes / 1e6:,.0f} MB/s",
    ]  # fmt: skip


def _objects_row(n: int) -> list[str]:
    return [
        f"{n:,}", f"{math.ceil(n / MEASURED.per_shard):,}", _in_bytes(n * MEASURED.sheet_bytes),
        _in_time(n * MEASURED.render_s / 64), _in_time(n * MEASURED.decode_s / 64),
    ]  # fmt: skip


def _visitors_row(visitors: int) -> list[str]:
    rate_hz = visitors / ASSUMED.think_s
    counts = [needed(rate_hz, service) for service in (MEASURED.replica_s, MEASURED.page_s)]
    return [
        f"{visitors:,}", f"{rate_hz:.2g}", *map(str, counts),
        f"{8 * rate_hz * MEASURED.answer_bytes / 1e9:.2g} Gbit/s",
    ]  # fmt: skip


def _in_bytes(n: float) -> str:
    unit, scale = ("TB", 1e12) if n >= 1e12 else ("GB", 1e9) if n >= 1e9 else ("MB", 1e6)
    return f"{n / scale:.3g} {unit}"


def _in_time(seconds: float) -> str:
    for unit, scale in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * scale:
            return f"{seconds / scale:.0f} {unit}"
    return f"{seconds:.2g} s"
