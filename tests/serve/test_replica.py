"""What is asked of a replica together is encoded together, and ends where nobody waits."""

import asyncio
import functools
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import torch

from hyperdemo.events import Progress
from hyperdemo.serve.replica import BatchedSound, in_threads
from tests import tiny
from tests.pipeline.conftest import CPU, loaded


@pytest.fixture
def loop():
    """A loop that runs in a thread, as a replica's does."""
    there: Future = Future()

    async def live():
        ended = asyncio.Event()
        there.set_result((asyncio.get_running_loop(), ended))
        await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    running, ended = there.result()
    yield running
    running.call_soon_threadsafe(ended.set)
    thread.join()


def test_what_threads_ask_together_is_written_as_one_batch(loop, monkeypatch):
    """Of several windows each, and each gets its own."""
    model = loaded(tiny.sound_model, 0, "sound-x")
    pipeline = BatchedSound({"x": model}, device=CPU)
    deployment = SimpleNamespace(_deployment_config=SimpleNamespace(max_ongoing_requests=8))
    pytest.importorskip("ray.serve", reason="needs Ray: pip install -r requirements-ray.txt")
    monkeypatch.setattr("ray.serve.get_replica_context", lambda: deployment)
    sizes, write = [], model.model.write
    monkeypatch.setattr(
        type(model.model), "write", lambda self, media: sizes.append(len(media)) or write(media)
    )

    async def begin():
        pipeline.write_in_batches(ThreadPoolExecutor(1), most=8, wait_s=5.0)

    asyncio.run_coroutine_threadsafe(begin(), loop).result()
    window = model.model.config.backbone.window
    asked = [0.1 * torch.randn(1 + k % 3, window) for k in range(8)]
    with ThreadPoolExecutor(8) as threads:
        written = list(threads.map(functools.partial(pipeline.write, model), asked))
    assert sizes == [sum(map(len, asked))]
    for media, together in zip(asked, written, strict=True):
        alone = write(media)
        torch.testing.assert_close(together.masks, alone.masks)
        torch.testing.assert_close(together.gains, alone.gains)


def test_events_stop_where_nobody_waits(loop):
    made, closed = [], threading.Event()

    def events():
        try:
            for k in range(100):
                made.append(k)
                yield Progress(k / 100, "")
        finally:
            closed.set()

    async def take_two():
        stream = in_threads(events(), ThreadPoolExecutor(1))
        taken = [await anext(stream), await anext(stream)]
        await stream.aclose()
        return [event.fraction for event in taken]

    assert asyncio.run_coroutine_threadsafe(take_two(), loop).result() == [0.0, 0.01]
    assert closed.wait(10) and len(made) == 2
