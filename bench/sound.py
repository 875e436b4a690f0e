"""How fast sound becomes networks and sound again: `python -m bench.sound`.

Real-time factors are seconds of sound a second of computing: 1 just keeps up with the sound.

- encode: windows of the clip to networks, as many at once as the pipeline takes.
- decode: networks to samples at 16 kHz.
- both: encode and decode through `SoundPipeline.listen`, with all that it does beside.
- together: the same for all models in step, as the app runs them.
- first sound: seconds until the first samples of all models are there.

By default the clips are 5 and 30 s of noise with the spectrum and the rhythm of speech; the time
does not depend on what is heard.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from bench.timing import measure, spread
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import SAMPLE_RATE_HZ, SoundRequest
from hyperdemo.events import Heard, Written
from hyperdemo.inr import WrittenSound, synthesise
from hyperdemo.inr.windows import WindowPlan
from hyperdemo.media.audio import decode_audio
from hyperdemo.pipeline import MODEL_NAMES, SoundPipeline
from hyperdemo.pipeline.sound import BATCH
from hyperdemo.preprocess.sound import PreparedSound, prepare_sound

SYLLABLES_HZ = 4.0
LEVEL_RMS = 0.05
REQUEST = SoundRequest(SAMPLE_RATE_HZ)


def speech_like(seconds: float, *, seed: int = 0) -> PreparedSound:
    """Noise that falls by 6 dB an octave above 500 Hz and swells four times a second."""
    n = round(seconds * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(n))
    hz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ)
    noise = np.fft.irfft(spectrum / np.maximum(hz / 500, 1), n)
    swell = np.sin(np.pi * SYLLABLES_HZ * np.arange(n) / SAMPLE_RATE_HZ) ** 2
    wave = noise * swell
    wave = (wave * LEVEL_RMS / np.sqrt(np.mean(wave**2))).astype(np.float32)
    return PreparedSound(wave, wave, SAMPLE_RATE_HZ, 1, False)


def bench_clip(pipeline: SoundPipeline, clip: PreparedSound, *, repeats: int) -> dict[str, Any]:
    """All timings of one clip.

    Returns:
        `seconds` of sound; under `models` the real-time factors of each one's `encode`, `decode`
        and `both`; the real-time factor of all models `together`; `first_sound_s`.
    """
    device = pipeline.device

    def factors(work: Callable[[], object]) -> dict[str, Any]:
        taken = measure(work, repeats=repeats, device=device)
        return spread([clip.duration_s / seconds for seconds in taken])

    models = {}
    for name, loaded in pipeline.models.items():
        written = _written(pipeline, clip, name)
        windows = encoder_windows(loaded, clip).to(device)
        models[name] = {
            "encode": factors(lambda m=loaded, w=windows: _encode(m, w)),
            "decode": factors(lambda s=written: synthesise(s, rate_hz=SAMPLE_RATE_HZ)),
            "both": factors(lambda n=name: list(pipeline.listen(clip, REQUEST, names=[n]))),
        }
    first = measure(lambda: _until_heard(pipeline, clip), repeats=repeats, device=device)
    return {
        "seconds": clip.duration_s,
        "models": models,
        "together": factors(lambda: list(pipeline.listen(clip, REQUEST))),
        "first_sound_s": spread(first),
    }


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


@torch.inference_mode()
def _encode(loaded: LoadedModel, windows: Float[Tensor, "w s"]) -> None:
    for part in windows.split(BATCH):
        loaded.model.write(part)


def _written(pipeline: SoundPipeline, clip: PreparedSound, name: str) -> WrittenSound:
    events = pipeline.listen(clip, REQUEST, names=[name])
    return next(event.sound for event in events if isinstance(event, Written))


def _until_heard(pipeline: SoundPipeline, clip: PreparedSound) -> None:
    events = pipeline.listen(clip, REQUEST)
    next(event for event in events if isinstance(event, Heard))
    events.close()


def clip_rows(clip: dict[str, Any]) -> dict[str, Any]:
    """What `bench_clip` found, a line of a table each."""
    rows = {
        f"{name} {stage}": found
        for name, stages in clip["models"].items()
        for stage, found in stages.items()
    }
    return rows | {"together": clip["together"], "first sound": clip["first_sound_s"]}


def report(found: dict[str, Any]) -> str:
    """The measurements as a table for a terminal."""
    lines = [f"{found['hardware']}, torch {found['torch']}, {found['repeats']} repeats"]
    for title, clip in found["clips"].items():
        lines.append(f"\n{title}, {clip['seconds']:.1f} s: real-time factor, median (low – high)")
        for name, found_there in clip_rows(clip).items():
            line = _seconds if name == "first sound" else _factor
            lines.append(f"  {name:<24}{line(found_there)}")
    return "\n".join(lines)


def _factor(found: dict[str, Any]) -> str:
    return f"{found['median']:.2f}× ({found['low']:.2f} – {found['high']:.2f})"


def _seconds(found: dict[str, Any]) -> str:
    return f"{found['median']:.3f} s ({found['low']:.3f} – {found['high']:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.sound",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--models", nargs="+", default=list(MODEL_NAMES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, nargs="+", default=[5.0, 30.0])
    parser.add_argument("--clip", type=Path, help="a sound file instead of noise")
    parser.add_argument("--device", help="cpu or cuda (the GPU, if there is one)")
    parser.add_argument("--threads", type=int, help="CPU threads (as many as torch chooses)")
    parser.add_argument("--json", type=Path, help="also save all that was measured")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        pipeline = SoundPipeline.from_weights(args.weights, names=args.models, device=args.device)
        if args.clip:
            clips = {args.clip.name: prepare_sound(decode_audio(args.clip))}
        else:
            clips = {f"noise of {s:g} s": speech_like(s) for s in args.seconds}
    except ValueError as error:
        raise SystemExit(f"bench.sound: {error}") from error
    found = {
        "hardware": f"{pipeline.device_name} ({platform.machine()}, {os.cpu_count()} CPU cores)",
        "torch": torch.__version__,
        "repeats": args.repeats,
        "clips": {
            name: bench_clip(pipeline, clip, repeats=args.repeats) for name, clip in clips.items()
        },
    }
    print(report(found))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
