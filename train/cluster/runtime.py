"""Ray itself: joining a cluster or starting one here, and work spread over it item by item."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

import ray

from train.provenance import ROOT

T, R = TypeVar("T"), TypeVar("R")


def start_ray() -> None:
    """Connect to the cluster that RAY_ADDRESS names; without one, start Ray on this machine.

    Does nothing where Ray already runs in this process. Every machine sees this checkout, the data
    and the folders of runs under the same paths.
    """
    if ray.is_initialized():
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    os.environ["PYTHONPATH"] = path  # processes started here inherit it
    # Without "local" Ray looks for a cluster, and waits minutes for what is no more.
    address = os.environ.get("RAY_ADDRESS", "local")
    environment = {"env_vars": {"PYTHONPATH": path}} if address != "local" else None
    ray.init(address, logging_level="warning", runtime_env=environment)


def spread(
    work: Callable[[T], R],
    items: Iterable[T],
    *,
    cpus: float = 1.0,
    gpus: float = 0.0,
    at_once: int | None = None,
) -> Iterator[tuple[T, R | Exception]]:
    """Work on every item as a Ray task, and give each result as it comes.

    A task whose process dies is started again, so work must be able to go on or begin anew. What
    it raises is given as its result: one bad item does not end the others.

    Args:
        work: of a module that the workers can import too.
        items: are asked for as there is room, so that they may be very many.
        cpus: cores that a task occupies.
        gpus: share of a GPU that a task occupies.
        at_once: tasks under way; twice as many as the cluster has cores if not given.
    """
    start_ray()
    # Under the name that it is imported by: its module keeps what it caches from task to task.
    task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=3)(_at)
    room = at_once or max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))
    shipped, folder, left = ray.put(work), str(Path.cwd()), iter(items)
    under_way: dict[ray.ObjectRef, T] = {}
    while True:
        while len(under_way) < room and (item := next(left, None)) is not None:
            under_way[task.remote(folder, shipped, item)] = item
        if not under_way:
            return
        (ready,), _ = ray.wait(list(under_way), num_returns=1)
        item = under_way.pop(ready)
        try:
            yield item, ray.get(ready)
        except ray.exceptions.RayError as error:
            yield item, getattr(error, "cause", None) or error


def _at(folder: str, work: Callable[[T], R], item: T) -> R:
    """Work where relative paths mean what they mean to who asked."""
    os.chdir(folder)
    return work(item)
