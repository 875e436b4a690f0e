"""Generated networks, fine-tuned on the picture before they are shown."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Generator, Iterator, Mapping

import numpy as np
import torch

from hyperdemo.config import FieldConfig
from hyperdemo.events import Encoded, Event, Progress, VolumeReady
from hyperdemo.inr import InrParams, as_field
from hyperdemo.pipeline.kept import Kept
from hyperdemo.pipeline.runtime import Stages
from hyperdemo.preprocess import Prepared, frame_alpha, frame_input
from hyperdemo.refine import find_camera, refine
from hyperdemo.render.bake import bake
from hyperdemo.render.rays import RayLoss
from hyperdemo.render.volume import pack_volume

GRID = 96
"""Nodes along an axis of the baked grid, and steps of a ray through it: 44 dB of PSNR to the exact
renderer on networks of the shipped models, 41 dB on an INR fitted to an object."""

SIDE = 128
"""Of the framed picture that is fitted, in pixels: as sharp as the data set's views."""

SHOWN_GRID = 64
"""Of the fields on the way, which are many; a third of the time and of the bytes of `GRID`."""

_SHOWN_EVERY = 5  # steps


class Refiner:
    """Fits the networks of one request.

    Args:
        kept: the cache of networks and grids, refined ones included.
        prepared: the picture.
        steps: of test-time optimisation.
        device: of the networks.
        shown: whether the fields on the way are packed for the browser.

    Attributes:
        picture: key of results that were refined so, in the cache.
    """

    def __init__(
        self,
        kept: Kept,
        prepared: Prepared,
        *,
        steps: int,
        device: torch.device,
        shown: bool = False,
    ):
        self._kept, self._steps, self._device = kept, steps, device
        self._stops = [*range(0, steps, _SHOWN_EVERY), steps] if shown else []
        self._rgb = frame_input(prepared.rgba, size=SIDE).astype(np.float32) / 255.0
        self._alpha = frame_alpha(prepared.rgba, size=SIDE)
        seen = (prepared.framed, self._rgb, self._alpha, np.array([steps, shown]))
        self.picture = hashlib.sha256(b"".join(part.tobytes() for part in seen)).digest()

    def refine(
        self,
        name: str,
        config: FieldConfig,
        params: InrParams,
        *,
        objective: RayLoss,
        key: tuple[bytes, str],
        share: tuple[float, float],
        clock: Stages,
    ) -> Generator[Event, None, InrParams]:
        """Fit one network; returns it.

        Args:
            name: of its model.
            config: of its field.
            params: as the model generated it.
            objective: the loss that the model was trained with.
            key: under which its baked grid is kept.
            share: where in the whole work this begins, and how much of it this is.
            clock: for the time of each stage.
        """
        known = self._kept.find((self.picture, name, "params"))
        if known is not None:
            yield from self._kept_volumes(name)
        else:
            yield from self._volume(name, config, params, step=0)
            with clock.stage(f"{name}.bake"):
                field = as_field(config, params)
                make = functools.partial(bake, field, resolution=GRID, device=self._device)
                baked = self._kept.get((*key, "baked"), make)
            camera = find_camera(baked, self._rgb, self._alpha)
            rgb, alpha = (torch.from_numpy(a).to(self._device) for a in (self._rgb, self._alpha))
            steps = refine(
                config, params, rgb, alpha=alpha, camera=camera, steps=self._steps,
                objective=objective,
            )  # fmt: skip
            while True:
                with clock.stage(f"{name}.refine"):
                    state = next(steps, None)
                if state is None:
                    break
                known = state.params
                if state.step % _SHOWN_EVERY == 1:
                    words = f"fine-tuning on the picture, step {state.step} of {self._steps}"
                    yield Progress(share[0] + share[1] * state.step / self._steps, words)
                yield from self._volume(name, config, known, step=state.step)
            assert known is not None, "at least one step is asked for"
            # On a GPU two fits of one picture differ; the first is shown, packed and downloaded.
            known = self._kept.get((self.picture, name, "params"), lambda: known)
        yield Encoded(name, known.cpu(), clock.seconds.get(f"{name}.refine", 0.0))
        return known

    def _volume(
        self, name: str, config: FieldConfig, params: InrParams, *, step: int
    ) -> Iterator[VolumeReady]:
        """A field on the way, where it is to be shown."""
        if step not in self._stops:
            return

        def pack() -> bytes:
            field = as_field(config, params)
            return pack_volume(bake(field, resolution=SHOWN_GRID, device=self._device))

        yield VolumeReady(name, self._kept.get((self.picture, name, "step", step), pack), step)

    def _kept_volumes(self, name: str) -> Iterator[VolumeReady]:
        """The fields on the way of a fit that is kept, if all of them still are."""
        shown = {step: self._kept.find((self.picture, name, "step", step)) for step in self._stops}
        if None not in shown.values():
            yield from (VolumeReady(name, volume, step) for step, volume in shown.items())


def in_step(
    fits: Mapping[str, Generator[Event, None, InrParams]],
) -> Generator[Event, None, dict[str, InrParams]]:
    """Let several fits take turns, event by event; returns the network of each."""
    found: dict[str, InrParams] = {}
    while len(found) < len(fits):
        for name in [name for name in fits if name not in found]:
            try:
                yield next(fits[name])
            except StopIteration as end:
                found[name] = end.value
    return {name: found[name] for name in fits}
