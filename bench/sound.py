"""How fast sound becomes networks and sound again: `python -m bench.sound`.

Real-time factors are seconds of sound per second of computing: 1 just keeps up with the sound.

- encode: windows of the clip to networks, in the batches of the pipeline.
- decode: networks to samples at 16 kHz.
- both: encode and decode through `SoundPipeline.listen`, with all that it does beside.
- together: the same for all models, as the app runs them.
- first sound: seconds until the first samples of all models are there.

By default the clips are 5 and 30 s of noise with the spectrum and the rhythm of speech; the time
does not depend on what is heard.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bench.timing import rounds, row, table, timed
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import SAMPLE_RATE_HZ, SoundRequest
from hyperdemo.events import Heard, Written
from hyperdemo.inr import synthesise
from hyperdemo.inr.windows import WindowPlan
from hyperdemo.media.audio import decode_audio
from hyperdemo.pipeline import MODEL_NAMES, SoundPipeline
from hyperdemo.pipeline.sound import BATCH
from hyperdemo.preprocess.sound import PreparedSound, prepare_sound
from train.provenance import provenance

SYLLABLES_HZ = 4.0
LEVEL_RMS = 0.05
REQUEST = SoundRequest(SAMPLE_RATE_HZ)
CLIPS_S = (5.0, 30.0)


def speech_like(seconds: float, *, seed: int = 0) -> PreparedSound:
    """Noise that falls by 6 dB per octave above 500 Hz and swells four times per second."""
    n = round(seconds * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ)
    noise = np.fft.irfft(spectrum / np.maximum(hz / 500, 1), n)
    wave = noise * np.sin(np.pi * SYLLABLES_HZ * np.arange(n) / SAMPLE_RATE_HZ) ** 2
    wave = (wave * LEVEL_RMS / np.sqrt(np.mean(wave**2))).astype(np.float32)
    return PreparedSound(wave, wave, SAMPLE_RATE_HZ, 1, False)


def noises(seconds: Sequence[float]) -> dict[str, PreparedSound]:
    """Clips of such noise by their length in words."""
    return {f"{s:g} s": speech_like(s) for s in seconds}


def bench_sounds(
    pipeline: SoundPipeline, clips: Mapping[str, PreparedSound], *, repeats: int
) -> dict[str, Any]:
    """Real-time factors of each clip by model and stage, and seconds to the first sound."""
    rows = {}
    for title, clip in clips.items():
        clock = _Clock(pipeline, clip)
        for name, values in rounds(clock.one_round, repeats=repeats).items():
            rows[f"{title}: {name}"] = row(values, "s" if name == "first sound" else "×")
    return {"rows": rows, "bars": [], "notes": ["× is seconds of sound per second of computing"]}


class _Clock:
    """All that is measured of one clip."""

    def __init__(self, pipeline: SoundPipeline, clip: PreparedSound):
        self.pipeline, self.clip = pipeline, clip
        self.windows, self.written = {}, {}
        for name, loaded in pipeline.models.items():
            self.windows[name] = encoder_windows(loaded, clip).to(pipeline.device)
            events = pipeline.listen(clip, REQUEST, names=[name])
            self.written[name] = next(e.sound for e in events if isinstance(e, Written))

    def one_round(self) -> dict[str, float]:
        """Real-time factors of all works in turn, and seconds to the first sound."""
        listen, works = self.pipeline.listen, {}
        for name, sound in self.written.items():
            works |= {
                f"{name} encode": partial(self.encode, name),
                f"{name} decode": partial(synthesise, sound, rate_hz=SAMPLE_RATE_HZ),
                f"{name} both": lambda name=name: list(listen(self.clip, REQUEST, names=[name])),
            }
        works["together"] = lambda: list(listen(self.clip, REQUEST))
        device = self.pipeline.device
        found = {n: self.clip.duration_s / timed(w, device=device)[0] for n, w in works.items()}
        return found | {"first sound": timed(self.until_heard, device=device)[0]}

    @torch.inference_mode()
    def encode(self, name: str) -> None:
        for part in self.windows[name].split(BATCH):
            self.pipeline.models[name].model.write(part)

    def until_heard(self) -> None:
        events = self.pipeline.listen(self.clip, REQUEST)
        next(event for event in events if isinstance(event, Heard))
        events.close()


def encoder_windows(loaded: LoadedModel, clip: PreparedSound) -> Float[Tensor, "w s"]:
    """The windows of a clip that a model's encoder reads."""
    model = loaded.model.config
    plan = WindowPlan.covering(
        len(clip.heard),
        rate_hz=SAMPLE_RATE_HZ,
        window_s=Fraction(model.backbone.window, SAMPLE_RATE_HZ),
        overlap_s=Fraction(model.field.overlap, SAMPLE_RATE_HZ),
    )
    return plan.split(torch.from_numpy(clip.heard), rate_hz=SAMPLE_RATE_HZ)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.sound",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--models", nargs="+", default=list(MODEL_NAMES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, nargs="+", default=CLIPS_S)
    parser.add_argument("--clip", type=Path, help="a sound file instead of noise")
    parser.add_argument("--device", help="cpu or cuda (the GPU, if there is one)")
    parser.add_argument("--threads", type=int, help="CPU threads (as many as torch chooses)")
    parser.add_argument("--json", type=Path, help="also save all that was measured")
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        pipeline = SoundPipeline.from_weights(args.weights, names=args.models, device=args.device)
        clips = noises(args.seconds)
        if args.clip:
            clips = {args.clip.name: prepare_sound(decode_audio(args.clip))}
    except ValueError as error:
        raise SystemExit(f"bench.sound: {error}") from error
    found = bench_sounds(pipeline, clips, repeats=args.repeats)
    print(table(f"sound, {pipeline.device_name}", found))
    if args.json:
        found = provenance(pipeline.device) | {"repeats": args.repeats} | found
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
