"""Fair turns: next comes who waited longest to be served, and nobody waits for who has gone."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import gradio as gr
from cachetools import LRUCache
from gradio.queueing import Event, EventQueue, Queue
from gradio.server_messages import ProcessCompletedMessage
from gradio.utils import run_coro_in_background

from hyperdemo.ui.memory import trim_memory
from hyperdemo.ui.uploads import sweep_uploads
from hyperdemo.ui.visitors import address, assistant_of

GRACE_S = 20.0
"""A job to whose progress nobody has listened for so long is dropped."""
TRIM_S = 5.0
"""How often memory that nobody uses is given back, while jobs run."""
MAX_SHARE = 0.8
"""Of the places of a kind, which one address may hold: a class behind one, but not all of them."""
ENDING = "The server is about to end; try again in a minute."


@dataclass(frozen=True)
class Place:
    """Where a job stands among those that wait.

    Attributes:
        ahead: jobs of its kind whose turn comes first.
        seconds: until its own turn, about; None before the first job has told how long one takes.
    """

    ahead: int
    seconds: float | None


class FairQueue(Queue):
    """Gradio's queue, with room counted apart for each kind of event.

    Args:
        max_waiting: jobs that may wait of one kind.
        options: Gradio's own.

    Attributes:
        ending: whoever waits or comes is refused; what runs goes on.
    """

    def __init__(self, *, max_waiting: int, **options: Any):
        super().__init__(max_size=None, **options)
        self.max_waiting = max_waiting
        self._listening: Counter[str] = Counter()
        self._heard: dict[str, float] = {}
        self._turns, self._served = count(1), LRUCache(4096)
        self.ending = False
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def listening(self, name: str) -> Iterator[None]:
        """While somebody listens to a session, or to one job by its id."""
        self._listening[name] += 1
        try:
            yield
        finally:
            self._listening[name] -= 1
            if not self._listening[name]:
                del self._listening[name]

    def start(self) -> None:
        super().start()
        run_coro_in_background(self._watch)

    async def push(self, body: Any, request: Any, username: str | None) -> tuple:
        """As Gradio's, but what computes takes no room from what is quick, nor one address all."""
        if self.ending:
            return False, ENDING, "queue_full"
        fn = self.blocks.fns.get(body.fn_index)
        kind = fn and self.event_queue_per_concurrency_id.get(fn.concurrency_id)
        waiting = kind.queue if kind else []
        mine = sum(_address(event) == _address_of(request) for event in waiting)
        if len(waiting) >= self.max_waiting or mine >= MAX_SHARE * self.max_waiting:
            return False, "All places are taken; try again in a minute.", "queue_full"
        return await super().push(body, request, username)

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """Of one kind comes first whose address, and then whose session, was served longest ago."""
        if self.ending:
            return None
        for waiting in self.event_queue_per_concurrency_id.values():
            if len(waiting.queue) > 1:
                first = min(waiting.queue, key=self._last_served)
                waiting.queue.remove(first)
                waiting.queue.insert(0, first)
        taken = super().get_events()
        if taken is not None:
            turn = next(self._turns)
            for event in taken[0]:
                self._served[_address(event)] = self._served[event.session_hash] = turn
        return taken

    def place_of(self, session: str, api_name: str) -> Place | None:
        """Of the job that a session waits for, by the name of its event; None if it does not."""
        for waiting in self.event_queue_per_concurrency_id.values():
            order = sorted(waiting.queue, key=self._last_served)
            for ahead, event in enumerate(order):
                if event.session_hash == session and event.fn.api_name == api_name:
                    return Place(ahead, self._seconds_to_turn(ahead, waiting))
        return None

    def _seconds_to_turn(self, ahead: int, waiting: EventQueue) -> float | None:
        """As long as those take who are ahead and whoever is served first, by all jobs so far."""
        kind = waiting.concurrency_id
        done = [t for fn, t in self.process_time_per_fn.items() if fn.concurrency_id == kind]
        if not (jobs := sum(one.count for one in done)):
            return None
        each = sum(one.process_time for one in done) / jobs
        return each * (ahead + 1) / (waiting.concurrency_limit or 1)

    def _last_served(self, event: Event) -> tuple[int, int]:
        served = self._served.get
        return served(_address(event), 0), served(event.session_hash, 0)

    async def _watch(self) -> None:
        swept = trimmed = time.monotonic()
        self._loop, ran = asyncio.get_running_loop(), False
        while not self.stopped:
            if self.ending:
                await self._refuse(self._waiting())
            await self.drop_abandoned()
            every_s, age_s = self.blocks.delete_cache or (None, None)
            if every_s and time.monotonic() - swept > every_s:
                swept = time.monotonic()
                await asyncio.to_thread(sweep_uploads, self.blocks, age_s=age_s)
            ran = ran or bool(self._running())
            if ran and time.monotonic() - trimmed > TRIM_S:
                ran, trimmed = False, time.monotonic()
                await asyncio.to_thread(trim_memory)
            await asyncio.sleep(1.0)

    async def drop_abandoned(self) -> None:
        """Remove such jobs as wait; one that runs ends at its next update."""
        now, heard = time.monotonic(), {}
        for event in self._running() + self._waiting():
            listened = self._listening[event.session_hash] or self._listening[event._id]
            last = now if listened else self._heard.get(event._id, event.enqueue_time)
            heard[event._id] = last
            if now - last > GRACE_S:
                await self.clean_events(event_id=event._id)
        self._heard = heard

    def refuse_running(self) -> None:
        """Tell whoever listens that what runs will not end; to be called from another thread."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._refuse(self._running()), self._loop)

    async def _refuse(self, events: list[Event]) -> None:
        for event in events:
            said = {"error": ENDING, "visible": True, "duration": 10, "title": "Error"}
            self.send_message(event, ProcessCompletedMessage(output=said, success=False))
            await self.clean_events(event_id=event._id)

    def _running(self) -> list[Event]:
        return [event for job in self.active_jobs if job for event in job]

    def _waiting(self) -> list[Event]:
        kinds = self.event_queue_per_concurrency_id.values()
        return [event for kind in kinds for event in kind.queue]


def _address(event: Event) -> str:
    return _address_of(event.request)


def _address_of(request: Any) -> str:
    return f"address {assistant_of(request.headers) or address(request.scope)}"


def take_fair_turns(demo: gr.Blocks, *, max_waiting: int, default_limit: int) -> gr.Blocks:
    """Give a page its queue, instead of `Blocks.queue`.

    Args:
        demo: the page.
        max_waiting: jobs that may wait of one kind, which is a `concurrency_id`.
        default_limit: how many of a kind run at once, where an event does not say.
    """
    # Past the queue, as many would compute at once as ask.
    demo.queue(api_open=False, default_concurrency_limit=default_limit)
    demo._queue = FairQueue(
        max_waiting=max_waiting, live_updates=True, concurrency_count=demo.max_threads,
        update_intervals=1, blocks=demo, default_concurrency_limit=default_limit,
    )  # fmt: skip
    return demo
