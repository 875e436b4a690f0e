"""The runs of a sweep as Ray's tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from train.cluster.runtime import spread
from train.experiments import Run

Row = dict[str, Any]


def spread_runs(
    runs: Sequence[Run], rows: Callable[[Run], list[Row]], *, gpus: float
) -> Iterator[tuple[Run, Row]]:
    """Each run with its row, as they end; none where somebody else works on it.

    Args:
        rows: trains and scores a run; has to go on with one whose process ended.
        gpus: share of a GPU that a run occupies. It occupies as many cores as it has threads.

    Raises:
        RuntimeError: some runs failed; the others are done.
    """
    failed = {}
    cores = max(1, *(run.config.threads for run in runs))
    for run, found in spread(rows, runs, cpus=cores, gpus=gpus):
        if isinstance(found, Exception):
            failed[run.name] = found
            print(f"{run.name} failed: {found}", flush=True)
        else:
            yield from ((run, row) for row in found)
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(runs)} runs failed: {', '.join(failed)}")
