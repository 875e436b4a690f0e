"""The page, whose pipelines ask replicas."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hyperdemo.checkpoints import find_weights, has_sound
from hyperdemo.events import Event
from hyperdemo.pipeline import SoundPipeline, ViewPipeline
from hyperdemo.pipeline.lent import LentSound, LentView, not_yet
from hyperdemo.preprocess import Prepared

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

ATTEMPTS = 3
"""Replicas that are asked one after the other, before the page computes by itself."""
PAUSE_S = 0.5
"""Before another is asked, growing with each: Ray takes a moment to see that one is lost."""
MAX_AT_ONCE = 32
"""Answers that the page streams at once: Gradio has 40 threads."""


class ServedView(LentView):
    """A `ViewPipeline` that asks replicas.

    Args:
        home: the models on the page's own CPU.
        replicas: to be asked.
        n_at_once: requests.
    """

    lent = "worker"

    def __init__(self, home: ViewPipeline, replicas: DeploymentHandle, *, n_at_once: int):
        view = functools.partial(asked, replicas.options(stream=True).view)
        super().__init__(home, view, name="Ray")
        self.n_at_once, self._replicas = n_at_once, replicas

    def prepare(
        self, rgba: np.ndarray, *, mask: np.ndarray | None = None, other: str | None = None
    ) -> Prepared:
        try:
            return self._replicas.prepare.remote(rgba, mask=mask, other=other).result()
        except Exception:  # where it is the visitor's mistake, it is said here in its own words
            return super().prepare(rgba, mask=mask, other=other)


class ServedSound(LentSound):
    """The same for sounds."""

    lent = "worker"

    def __init__(self, home: SoundPipeline, replicas: DeploymentHandle, *, n_at_once: int):
        listen = functools.partial(asked, replicas.options(stream=True).listen)
        super().__init__(home, listen, name="Ray")
        self.n_at_once = n_at_once


def asked(method: Any, *args: Any, **options: Any) -> Iterator[Event]:
    """Events of whichever replica answers; where it is lost, another one goes on.

    Args:
        method: of the replicas' handle, streaming.
        args, options: of the method.
    """
    from ray.exceptions import RayError, RayTaskError

    shown: set[tuple] = set()
    for attempt in range(1, ATTEMPTS + 1):
        answer = method.remote(*args, **options)
        try:
            yield from not_yet(shown, answer)
            return
        except RayError as error:
            if isinstance(error, RayTaskError) or attempt == ATTEMPTS:
                raise  # the first is the method's own, and would come again
            time.sleep(attempt * PAUSE_S)
        finally:
            answer.cancel()


class Page:
    """The Gradio app, in one process."""

    async def __init__(self, replicas: DeploymentHandle, **options: Any):
        # In a thread: what waits for a replica may not do so on the loop.
        self._page = await asyncio.to_thread(page_app, replicas, **options)

    def __serve_build_asgi_app__(self) -> Callable:
        return self._page


def page_app(
    replicas: DeploymentHandle,
    *,
    weights: str | Path | None,
    examples: str | Path | None,
    n_at_once: int,
    warm: bool,
) -> Callable:
    """The page as an ASGI app.

    Args:
        replicas: to be asked.
        weights: folder of the checkpoints.
        examples: folder of the examples; that beside the package if not given.
        n_at_once: requests that the replicas may answer at once.
        warm: see `build_app`.
    """
    from hyperdemo.scratch import own_scratch

    own_scratch()  # before Gradio is imported
    from hyperdemo.ui import build_app, mounted, start_log

    weights = find_weights(weights)
    n_at_once = min(MAX_AT_ONCE, n_at_once)
    home = ViewPipeline.from_weights(weights, device="cpu")
    view, sound = ServedView(home, replicas, n_at_once=n_at_once), None
    if has_sound(weights):
        home = SoundPipeline.from_weights(weights, device="cpu")
        sound = ServedSound(home, replicas, n_at_once=n_at_once)
    examples = examples or Path(__file__).resolve().parents[2] / "examples"
    demo = build_app(view, sound=sound, examples=examples, weights=weights, warm=warm)
    start_log()
    return mounted(demo, *filter(None, (view, sound)))
