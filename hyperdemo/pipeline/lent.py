"""One app for ZeroGPU, a GPU of one's own and the CPU.

A pipeline stays on the CPU, and what is computed on a GPU is computed beside it, so that the CPU
answers whenever the GPU is refused, full or lost. On ZeroGPU a GPU is lent to one call of a
decorated function, in another process, and a visitor has few minutes of it a day. So only what
would keep the CPU busy for long asks for it, and asks once: encoding, fitting, baking and rendering
are one call. Until then the models stay in the CPU's memory, which the CPU's answers need anyway;
copying them takes a fraction of a second, whether at the call or by ZeroGPU before it.
"""

from __future__ import annotations

import functools
import logging
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import torch

from hyperdemo.config import SoundRequest, ViewRequest
from hyperdemo.events import Done, Event, Frames, Heard, Progress, Views
from hyperdemo.pipeline.pair import ModelPair
from hyperdemo.pipeline.runtime import choose_device
from hyperdemo.pipeline.sound import SoundPipeline
from hyperdemo.pipeline.view import ViewPipeline
from hyperdemo.preprocess import Prepared
from hyperdemo.preprocess.sound import PreparedSound
from hyperdemo.render.cameras import PosedViews

Decorator = Callable[..., Callable]
"""`spaces.GPU`: `decorator(function, duration=…)`."""
Pair = TypeVar("Pair", bound=ModelPair)

MANY_PIXELS = 25_000_000
"""Of an orbit: two cores take about four seconds for more, as long as a GPU takes to be granted."""
DECLARED_S, DECLARED_REFINED_S = 10, 15
"""The quota is checked against these; what is used of it is what a request takes."""

_log = logging.getLogger(__name__)


class LentView(ViewPipeline):
    """A `ViewPipeline` that computes on a GPU beside it, or where that fails at home.

    Args:
        home: the models on the CPU.
        gpu: as `ViewPipeline.view`, on a GPU.
        name: of the GPU.
        worth: whether a request is to be computed there.
    """

    n_at_once = 2
    lent = "GPU"

    def __init__(
        self,
        home: ViewPipeline,
        gpu: Callable[..., Iterator[Event]],
        *,
        name: str,
        worth: Callable[[ViewRequest], bool] = lambda _: True,
    ):
        super().__init__(home.models, device=home.device)
        self._home, self._gpu, self._name, self._worth = home, gpu, name, worth

    @property
    def device_name(self) -> str:
        return self._name

    def view(
        self,
        prepared: Prepared,
        request: ViewRequest,
        *,
        names: Sequence[str] | None = None,
        poses: PosedViews | None = None,
    ) -> Iterator[Event]:
        asked = {"names": self.chosen(names), "poses": poses}
        home = functools.partial(self._home.view, prepared, request, **asked)
        if self._worth(request):
            yield from or_at_home(self._gpu(prepared, request, **asked), home, lent=self.lent)
        else:
            yield from home()


class LentSound(SoundPipeline):
    """The same for sounds."""

    n_at_once = 2
    lent = "GPU"

    def __init__(self, home: SoundPipeline, gpu: Callable[..., Iterator[Event]], *, name: str):
        super().__init__(home.models, device=home.device)
        self._home, self._gpu, self._name = home, gpu, name

    @property
    def device_name(self) -> str:
        return self._name

    def listen(
        self,
        prepared: PreparedSound,
        request: SoundRequest,
        *,
        names: Sequence[str] | None = None,
    ) -> Iterator[Event]:
        names = self.chosen(names)
        home = functools.partial(self._home.listen, prepared, request, names=names)
        yield from or_at_home(self._gpu(prepared, request, names=names), home, lent=self.lent)


def load_view(
    weights: str | Path, *, device: str | None = None, zero_gpu: Decorator | None = None
) -> ViewPipeline:
    """Pictures, on what the machine has.

    Args:
        weights: folder of the checkpoints.
        device: "cpu" or "cuda"; by default the GPU if there is one.
        zero_gpu: the decorator of functions that a GPU is lent to, on ZeroGPU. Nothing else may
            touch a GPU there, and none is asked for until a request is worth it.

    Raises:
        ValueError: a checkpoint is missing or damaged, or there is no such device.
    """
    if zero_gpu is not None:
        lent = zero_gpu(view_elsewhere, duration=declared_s)
        gpu = functools.partial(events_from, lent, str(weights), device or "cuda")
        return LentView(_at_home(str(weights)), gpu, name="CPU, ZeroGPU", worth=worth_a_gpu)
    if choose_device(device).type == "cpu":
        return ViewPipeline.from_weights(weights, device="cpu")
    home = ViewPipeline.from_weights(weights, device="cpu")
    near = home.to(choose_device(device))
    return LentView(home, near.view, name=near.device_name)


def load_sound(weights: str | Path, *, device: str | None = None) -> SoundPipeline:
    """Sounds, likewise. On ZeroGPU ask for the CPU: it is many times faster than a clip plays."""
    home = SoundPipeline.from_weights(weights, device="cpu")
    if choose_device(device).type == "cpu":
        return home
    near = home.to(choose_device(device))
    return LentSound(home, near.listen, name=near.device_name)


def worth_a_gpu(request: ViewRequest) -> bool:
    """Whether the CPU would take much longer than it takes to be granted a GPU."""
    return request.refine_steps > 0 or request.n_frames * request.size**2 > MANY_PIXELS


def declared_s(_weights: str, _device: str, _prepared: Prepared, request: ViewRequest, **_) -> int:
    """The time that `view_elsewhere` may take, from its own arguments."""
    return DECLARED_REFINED_S if request.refine_steps else DECLARED_S


def view_elsewhere(
    weights: str,
    device: str,
    prepared: Prepared,
    request: ViewRequest,
    *,
    names: Sequence[str],
    poses: PosedViews | None,
) -> Iterator[bytes]:
    """`ViewPipeline.view` in a process of its own, which may be forked or spawned.

    Yields:
        each event, pickled here: a queue between processes would hand on tensors as files that the
        sender must live to keep open.
    """
    for event in _on(weights, device).view(prepared, request, names=names, poses=poses):
        yield pickle.dumps(event)


def events_from(generate: Callable[..., Iterator[bytes]], *args, **kwargs) -> Iterator[Event]:
    """The events of `view_elsewhere`; closing this generator closes that one."""
    with closing(generate(*args, **kwargs)) as pickled:
        yield from map(pickle.loads, pickled)


def or_at_home(
    gpu: Iterator[Event], home: Callable[[], Iterator[Event]], *, lent: str = "GPU"
) -> Iterator[Event]:
    """Events of the GPU, or of what else is lent; where that fails, those of the CPU, and words of
    what happened.
    """
    shown: set[tuple] = set()
    try:
        with closing(gpu):
            yield from not_yet(shown, gpu)
            return
    except Exception as error:  # where it is the visitor's mistake, the CPU says so in its words
        _log.warning("no %s: %r", lent, error, exc_info=bool(shown))
        reason = why(error, begun=bool(shown), lent=lent)
    yield Progress(0.0, f"{reason}; computing on the CPU")
    for event in not_yet(shown, home()):
        if isinstance(event, Done):
            event = Done(event.seconds, f"{event.device}: {reason}")
        yield event


def not_yet(shown: set[tuple], events: Iterable[Event]) -> Iterator[Event]:
    """Events of an answer that begins anew, without what was shown already.

    Frames, views and samples go on where they stopped, and agree to rounding, or to the chance of a
    fit. Networks come again, from whoever answers now.

    Args:
        shown: what was shown before; what is shown now is added.
        events: the answer, from its beginning.
    """
    for event in events:
        place = type(event), getattr(event, "name", ""), getattr(event, "start", 0)
        if place not in shown or not isinstance(event, Frames | Views | Heard):
            shown.add(place)
            yield event


def why(error: Exception, *, begun: bool, lent: str = "GPU") -> str:
    """Why there is no GPU, or no other thing that is lent, in a visitor's words."""
    if "quota" in f"{getattr(error, 'title', '')} {error}".lower():
        return "your GPU time for today is used up"
    if isinstance(error, torch.cuda.OutOfMemoryError):
        return "the GPU's memory was full"
    return f"the {lent} was lost" if begun else f"no {lent} was free"


@functools.cache
def _at_home(weights: str) -> ViewPipeline:
    """Loaded once per process; one that is forked finds it in its memory."""
    return ViewPipeline.from_weights(weights, device="cpu")


@functools.cache
def _on(weights: str, device: str) -> ViewPipeline:
    return _at_home(weights).to(torch.device(device))
