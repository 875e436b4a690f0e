"""A sound in, a generator of typed events out, and no state per user.

`SoundPipeline` may be shared by many threads: it keeps nothing of a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import SAMPLE_RATE_HZ, ModelConfig, SoundRequest
from hyperdemo.events import Done, Event, Heard, Progress, Written
from hyperdemo.inr import ModulatedInrs, WrittenSound, stretch_plan, stretch_waves
from hyperdemo.inr.windows import WindowJoiner, WindowPlan
from hyperdemo.media.audio import resampled_length
from hyperdemo.pipeline.pair import ModelPair
from hyperdemo.pipeline.runtime import Stages
from hyperdemo.preprocess.sound import PreparedSound

BATCH = 4  # windows encoded at once, but for the first, which is alone so that sound starts soon


class SoundPipeline(ModelPair):
    """From one clip to the resyntheses and networks that each model writes; see `ModelPair`."""

    task = "sound"

    @staticmethod
    def input_of(config: ModelConfig) -> tuple[int, int, int]:
        """Samples of a window, and of a stretch and its overlap: sounds are streamed in step."""
        return config.backbone.window, config.field.stretch, config.field.overlap

    def warm_up(self) -> None:
        """Touch every weight, so that no visitor waits for it."""
        for loaded in self.models.values():
            window = loaded.model.config.backbone.window
            self.write(loaded, torch.zeros(1, window, device=self.device))

    def listen(
        self,
        prepared: PreparedSound,
        request: SoundRequest,
        *,
        names: Sequence[str] | None = None,
    ) -> Iterator[Event]:
        """Write the networks of window after window, and stream the sound of all models in step.

        The generator can be closed at any event; nothing runs on.

        Args:
            prepared: the clip.
            request: at which rate it is to be heard.
            names: models to hear, in this order; all if not given.

        Raises:
            ValueError: a name that no model has.
        """
        names = self.chosen(names)
        clock = Stages()
        rate_hz = request.rate_hz or prepared.rate_hz
        voices = {n: _Voice(self.models[n], prepared, rate_hz=rate_hz) for n in names}
        n_windows = len(next(iter(voices.values())).windows)
        start = 0
        for first in (0, *range(1, n_windows, BATCH)):
            words = f"writing networks: window {first + 1} of {n_windows}"
            yield Progress(first / n_windows, words)
            heard = {}
            for name, voice in voices.items():
                windows = voice.windows[first : first + BATCH if first else 1]
                with clock.stage(f"{name}.encode"):
                    written = self.write(voice.loaded, windows.to(self.device))
                with clock.stage(f"{name}.decode"):
                    heard[name] = voice.add(written)
            yield Heard(start, heard)
            start += len(next(iter(heard.values())))
        for name, voice in voices.items():
            yield Written(name, voice.written(), clock.seconds[f"{name}.encode"])
        yield Progress(1.0, f"{n_windows} windows written")
        yield Done(clock.seconds, self.device_name)


class _Voice:
    """What one model has generated of one clip so far: networks, and their sound."""

    def __init__(self, loaded: LoadedModel, prepared: PreparedSound, *, rate_hz: int):
        self.loaded, self.prepared, self.rate_hz = loaded, prepared, rate_hz
        model = loaded.model.config
        self.config = model.field
        self.windows = _windows(prepared.heard, model)
        self.plan = stretch_plan(self.config, len(self.windows) * model.n_stretches)
        n = resampled_length(len(prepared.own), from_hz=prepared.rate_hz, to_hz=rate_hz)
        self.joiner = WindowJoiner(self.plan, rate_hz=rate_hz, n=n)
        self.parts: list[ModulatedInrs] = []
        self.done = 0  # stretches

    @torch.inference_mode()
    def add(self, inrs: ModulatedInrs) -> Float[np.ndarray, " m"]:
        """Take the next networks; returns the samples that no later one will change."""
        self.parts.append(inrs)
        waves = stretch_waves(self.config, inrs, self.plan, first=self.done, rate_hz=self.rate_hz)
        samples = [self.joiner.push(wave.cpu()) for wave in waves]
        self.done += len(inrs)
        if self.done == self.plan.n_windows:
            samples.append(self.joiner.finish())
        return torch.cat(samples).numpy()

    def written(self) -> WrittenSound:
        inrs = ModulatedInrs.join(self.parts).cpu()
        return WrittenSound(self.config, inrs, len(self.prepared.own), self.prepared.rate_hz)


def _windows(heard: Float[np.ndarray, " n"], model: ModelConfig) -> Float[Tensor, "w s"]:
    """The windows that an encoder reads; they share as much as two stretches do."""
    plan = WindowPlan.covering(
        len(heard),
        rate_hz=SAMPLE_RATE_HZ,
        window_s=Fraction(model.backbone.window, SAMPLE_RATE_HZ),
        overlap_s=Fraction(model.field.overlap, SAMPLE_RATE_HZ),
    )
    return plan.split(torch.from_numpy(heard), rate_hz=SAMPLE_RATE_HZ)
