"""The results of one sound as files."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from hyperdemo.config import SAMPLE_RATE_HZ, SoundRequest
from hyperdemo.events import Done, Event, Heard, Written
from hyperdemo.inr import WrittenSound, synthesise
from hyperdemo.inr.export_sound import export_sound
from hyperdemo.media.audio import encode_wav
from hyperdemo.metrics import score_sound
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.preprocess.sound import PreparedSound
from hyperdemo.results.files import origin, write_network, write_result


class SoundWriter:
    """Takes the events of one request and writes `DIR/<model>/…` and `DIR/result.json`.

    Args:
        out: the folder, made if it is not there.
        pipeline: where the events come from.
        request: what was asked for.
        prepared: the clip, as the models heard it.
    """

    def __init__(
        self,
        out: Path,
        pipeline: SoundPipeline,
        *,
        request: SoundRequest,
        prepared: PreparedSound,
    ):
        self.out, self.pipeline, self.prepared = out, pipeline, prepared
        self.rate_hz = request.rate_hz or prepared.rate_hz
        self.heard: dict[str, list[Float[np.ndarray, " n"]]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.seconds: dict[str, float] = {}
        self.device = ""

    def take(self, event: Event) -> None:
        """Write what an event carries."""
        match event:
            case Heard():
                for name, samples in event.samples.items():
                    # Early: a folder that cannot be made is known before all work is done.
                    (self.out / name).mkdir(parents=True, exist_ok=True)
                    self.heard.setdefault(name, []).append(samples)
            case Written(name, sound):
                exported = export_sound(sound, provenance=origin(self.pipeline.models[name]))
                self.models[name] = {
                    **write_network(self.out / name, exported),
                    "networks": len(sound.inrs),
                    "written_numbers": sound.inrs.n_written,
                    "shared_numbers": sound.inrs.n_shared,
                    "metrics": self._scores(sound),
                }
            case Done(seconds, device):
                self.seconds, self.device = dict(seconds), device

    def finish(self, *, clip: Path) -> Path:
        """Write the resyntheses and `result.json`; returns its path."""
        for name, chunks in self.heard.items():
            samples = np.concatenate(chunks)
            wav = encode_wav(samples, rate_hz=self.rate_hz)
            (self.out / name / "resynthesis.wav").write_bytes(wav)
            spent_s = self.seconds[f"{name}.encode"] + self.seconds[f"{name}.decode"]
            self.models[name] |= {
                "real_time_factor": round(self.prepared.duration_s / spent_s, 3),
                "clipped_samples": int((np.abs(samples) > 1).sum()),
            }
        facts = {
            "clip": clip.name,
            "duration_s": round(self.prepared.duration_s, 6),
            "clip_rate_hz": self.prepared.rate_hz,
            "rate_hz": self.rate_hz,
            "channels_in_file": self.prepared.channels_in_file,
            "truncated": self.prepared.truncated,
            "quieter_db": round(self.prepared.quieter_db, 3),
            "device": self.device,
        }
        return write_result(self.out, "sound", facts, seconds=self.seconds, models=self.models)

    def _scores(self, sound: WrittenSound) -> dict[str, float | None]:
        """At 16 kHz, whatever rate was asked for: only there do the numbers compare."""
        estimate = synthesise(sound, rate_hz=SAMPLE_RATE_HZ).cpu().numpy()
        scores = score_sound(estimate, self.prepared.heard, rate_hz=SAMPLE_RATE_HZ)
        return {k: v for k, v in dataclasses.asdict(scores).items() if k != "pesq"}
