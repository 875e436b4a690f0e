"""One of the processes that compute: both pairs of models, answering several requests at once."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.checkpoints import LoadedModel, find_weights, has_sound
from hyperdemo.events import Event
from hyperdemo.inr import ModulatedInrs
from hyperdemo.pipeline import SoundPipeline, ViewPipeline
from hyperdemo.pipeline.pair import ModelPair
from hyperdemo.preprocess import Prepared


class Replica:
    """Both pairs of models, answering several requests at once."""

    def __init__(
        self,
        weights: str | Path | None,
        *,
        device: str | None,
        requests: int,
        batch_wait_s: float | int,
        warm: bool,
    ):
        weights = find_weights(weights)
        # One batch at a time, and none waits for a thread that a request holds.
        encoding = ThreadPoolExecutor(1)
        self._answering = ThreadPoolExecutor(requests)
        self._view = BatchedView.from_weights(weights, device=device)
        self._sound = None
        if has_sound(weights):
            self._sound = BatchedSound.from_weights(weights, device=device)
        for pipeline in filter(None, (self._view, self._sound)):
            if warm:
                pipeline.warm_up()
            pipeline.write_in_batches(encoding, most=requests, wait_s=batch_wait_s)

    async def prepare(
        self, rgba: np.ndarray, *, mask: np.ndarray | None, other: str | None
    ) -> Prepared:
        """`ViewPipeline.prepare`."""
        prepare = functools.partial(self._view.prepare, rgba, mask=mask, other=other)
        return await asyncio.get_running_loop().run_in_executor(self._answering, prepare)

    async def view(self, *args: Any, **options: Any) -> AsyncIterator[Event]:
        """`ViewPipeline.view`."""
        async for event in in_threads(self._view.view(*args, **options), self._answering):
            yield event

    async def listen(self, *args: Any, **options: Any) -> AsyncIterator[Event]:
        """`SoundPipeline.listen`."""
        async for event in in_threads(self._sound.listen(*args, **options), self._answering):
            yield event


class Batched(ModelPair):
    """A pipeline for several threads, whose models write as one batch what these ask together."""

    _together: Mapping[str, Callable[[Tensor], ModulatedInrs]] = {}

    def write_in_batches(self, executor: ThreadPoolExecutor, *, most: int, wait_s: float) -> None:
        """Begin to; call it on the loop that is to collect what is asked.

        Args:
            executor: writes the batches.
            most: requests of one batch.
            wait_s: how long the first of them waits for others.
        """
        self._together = {
            name: in_batches(
                functools.partial(self._write_all, loaded), executor, most=most, wait_s=wait_s
            )
            for name, loaded in ((loaded.name, loaded) for loaded in self.models.values())
        }

    def write(self, loaded: LoadedModel, media: Float[Tensor, "b ..."]) -> ModulatedInrs:
        together = self._together.get(loaded.name)
        return together(media) if together else super().write(loaded, media)

    def _write_all(self, loaded: LoadedModel, media: Sequence[Tensor]) -> list[ModulatedInrs]:
        """What one model writes for each of several requests."""
        written = super().write(loaded, torch.cat(list(media)))
        each = len(written) // sum(map(len, media))
        ends = np.cumsum([each * len(one) for one in media]).tolist()
        return [written[end - each * len(one) : end] for one, end in zip(media, ends, strict=True)]


class BatchedView(Batched, ViewPipeline):
    """Pictures."""


class BatchedSound(Batched, SoundPipeline):
    """Sounds."""


def in_batches(
    answer_all: Callable[[Sequence[Any]], Sequence[Any]],
    executor: ThreadPoolExecutor,
    *,
    most: int,
    wait_s: float,
) -> Callable[[Any], Any]:
    """A function for many threads that answers what they ask together by one call.

    Args:
        answer_all: answers several questions, in their order.
        executor: runs it.
        most, wait_s: as in `Batched.write_in_batches`.
    """
    from ray import serve

    loop = asyncio.get_running_loop()

    @serve.batch(max_batch_size=most, batch_wait_timeout_s=wait_s)
    async def together(questions: list[Any]) -> list[Any]:
        return list(await loop.run_in_executor(executor, answer_all, questions))

    async def one(question: Any) -> Any:
        return await together(question)

    return lambda question: asyncio.run_coroutine_threadsafe(one(question), loop).result()


async def in_threads(events: Iterator[Event], executor: ThreadPoolExecutor) -> AsyncIterator[Event]:
    """The same events, each made in a thread; where nobody waits any more, no further one is."""
    loop, one_at_a_time = asyncio.get_running_loop(), threading.Lock()

    def next_event() -> Event | None:
        with one_at_a_time:
            return next(events, None)

    def close() -> None:
        with one_at_a_time:
            events.close()

    try:
        while (event := await loop.run_in_executor(executor, next_event)) is not None:
            yield event
    finally:
        loop.run_in_executor(executor, close)
