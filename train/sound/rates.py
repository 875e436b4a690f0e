"""Quality against bytes a second, beside what a codec does: `python -m train.sound.rates`.

Curves over the same held-out prompts, scored by the same metrics:

- INR: what the pretrained model writes for a clip, masks and gains, with the masks rounded to
  fewer and fewer bits. Base weights and biases are the same for all clips: they belong to the
  decoder, as the tables of Opus do, and are not counted.
- INR, transformed: the same, with the masks rounded in other coordinates, see
  `train.sound.transform`. The transform was fitted to training prompts and belongs to the decoder.
- Opus: libopus at 16 kHz, from a call's bit rates to more than speech needs.
- PCM: samples as they are, and through the μ-law of telephony.

Bytes are those of the payload: no curve counts a container, nor how long the clip is. The kbit/s
of a set are all its bits by all its seconds. `kbit_s_plain` of the first INRs has every number in
as many bits as it was rounded to; `kbit_s` is after lossless coding, where that helps.
"""

from __future__ import annotations

import argparse
import importlib.util
import lzma
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Integer
from tqdm import tqdm

from hyperdemo.checkpoints import LoadedModel, load_checkpoint
from hyperdemo.config import SAMPLE_RATE_HZ, SoundRequest
from hyperdemo.events import Written
from hyperdemo.inr import WrittenSound, synthesise
from hyperdemo.pipeline.sound import SoundPipeline
from hyperdemo.preprocess.sound import PreparedSound
from train.results_file import update
from train.sound.codecs import Coded, code_mu_law, code_opus, code_pcm
from train.sound.data import load_speech
from train.sound.evaluate import METRICS, WITH_ERROR, Signal, score, summarise
from train.sound.splits import read_speech_split
from train.sound.transform import MaskTransform, fit_transform, transformed
from train.subsets import spread

# Of the shipped model on 40 prompts, measured before it was written.
READING = (
    "Rounded from 16 to 8 bits a number, what the model writes takes 96 kbit/s instead of 311 and "
    "loses 2.2 dB of SI-SNR. Rounded in coordinates that are fitted to it (transformed), it takes "
    "less than half of that for the same PESQ of 3.2: 40 kbit/s, and 53 for 3.7. With 18 kbit/s "
    "and less it is then nearer to the waveform than Opus (15.4 dB with 11 kbit/s; Opus has 14.1 "
    "with 12), on voices to which the coordinates were fitted, but not nearer to the ear: Opus "
    "has a PESQ of 3.8 with 12 kbit/s. Opus spends its bits where an ear would notice; nothing in "
    "this training asked for that."
)
READ_MODEL = "foundation"
HALF = 16
"""Bits at which a mask is stored as float16, and not as a number between two ends."""
INR_BITS = (HALF, 8, 6, 5, 4, 3)
STEPS = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08)
"""Of the coefficients, in the mean norm of a stretch."""
OPUS_KBIT_S = (6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
# Contexts of the byte before (lc) and of the position (pb) are for text and for structures; both
# only dilute the statistics of small numbers. Raw, since a header would say what is known.
_LZMA = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}

Numbers = Float[np.ndarray, "n g"]
Integers = Integer[np.ndarray, "n g"]


def write(loaded: LoadedModel, heard: Signal) -> WrittenSound:
    """The networks that a model writes for a sound at 16 kHz, by way of the pipeline.

    Those that start after its end, since a window goes on there, say nothing and are left out.
    """
    pipeline = SoundPipeline({loaded.name: loaded}, device=torch.device("cpu"))
    prepared = PreparedSound(heard, heard, SAMPLE_RATE_HZ, 1, False)
    events = pipeline.listen(prepared, SoundRequest(SAMPLE_RATE_HZ))
    whole = next(event.sound for event in events if isinstance(event, Written))
    starts = range(0, len(heard), whole.config.stretch - whole.config.overlap)
    return replace(whole, inrs=whole.inrs[: len(starts)])


def float16_range(numbers: Numbers) -> tuple[np.float16, np.float16]:
    """The narrowest range with ends in float16 that all numbers lie in.

    Raises:
        ValueError: float16 does not reach so far.
    """
    with np.errstate(over="ignore"):  # told below
        low, high = np.float16(numbers.min()), np.float16(numbers.max())
    low = low if low <= numbers.min() else np.nextafter(low, np.float16(-np.inf))
    high = high if high >= numbers.max() else np.nextafter(high, np.float16(np.inf))
    if not np.isfinite([low, high]).all():
        raise ValueError(f"expected numbers within ±65504, got {numbers.min()}, {numbers.max()}")
    return low, high


def quantise(numbers: Numbers, *, bits: int) -> tuple[Integers, Numbers]:
    """Round to 2^bits evenly spaced levels, the outer two at the ends of `float16_range`.

    At 16 bits the numbers themselves are rounded to float16, without a range.

    Args:
        numbers: of one layer, for each stretch of a clip.
        bits: of a number, 1 to 8 or 16.

    Returns:
        What is stored, integers below 2^bits, and what a decoder makes of it, float32. Levels
        are (high - low) / (2^bits - 1) apart, and no number is moved by more than half of that.

    Raises:
        ValueError: other bits, or numbers beyond float16.
    """
    if bits == HALF:
        float16_range(numbers)  # raises
        halves = numbers.astype(np.float16)
        return halves.view(np.uint16), halves.astype(np.float32)
    if not 1 <= bits <= 8:
        raise ValueError(f"expected 1 to 8 bits, or {HALF}, got {bits}")
    low, high = map(float, float16_range(numbers))
    step = (high - low) / (2**bits - 1)
    levels = np.rint((numbers.astype(np.float64) - low) / (step or 1.0)).astype(np.uint8)
    return levels, (low + step * levels).astype(np.float32)


def pack(integers: Integers, *, bits: int) -> bytes:
    """Code losslessly: a byte that says how, then LZMA of the values or of their differences.

    Differences are those from stretch to stretch, modulo 2^bits. Of both, the shorter is kept.
    Integers of 16 bits are laid as all their low bytes, then all their high ones, which repeat.

    Args:
        integers: of all layers, one row per stretch, below 2^bits; uint8 or uint16.
        bits: of each.
    """
    modulus = 2**bits
    before = np.concatenate([np.zeros_like(integers[:1]), integers[:-1]]).astype(np.int64)
    differences = ((integers - before) % modulus).astype(integers.dtype)
    packed = []
    for values in (integers, differences):
        octets = np.ascontiguousarray(values).view(np.uint8)
        planes = octets.reshape(-1, integers.itemsize).T.tobytes()
        packed.append(lzma.compress(planes, lzma.FORMAT_RAW, filters=[_LZMA]))
    best = int(len(packed[1]) < len(packed[0]))
    return bytes([best]) + packed[best]


def code_networks(written: WrittenSound, *, bits: int) -> Coded:
    """Round what a model wrote, and say it at 16 kHz as a decoder would that gets no more.

    Masks are rounded with one range a layer and clip, a pair of float16; gains are float16.
    """
    layers = [quantise(mask.flatten(1).numpy(), bits=bits) for mask in written.inrs.masks]
    integers = np.concatenate([stored for stored, _ in layers], axis=1)
    ranges = 0 if bits == HALF else 4 * len(layers)
    beside = ranges + 2 * len(written.inrs)
    plain = math.ceil(bits * integers.size / 8)
    n_bytes = min(plain, len(pack(integers, bits=bits))) + beside
    masks = zip(written.inrs.masks, (rounded for _, rounded in layers), strict=True)
    inrs = replace(
        written.inrs,
        masks=tuple(torch.from_numpy(rounded).view_as(mask) for mask, rounded in masks),
        gains=written.inrs.gains.half().float(),
    )
    said = synthesise(replace(written, inrs=inrs), rate_hz=SAMPLE_RATE_HZ).numpy()
    return Coded(said, n_bytes, plain + beside)


def score_coded(coded: Coded, heard: Signal, *, with_pesq: bool) -> dict[str, float | None]:
    """All metrics of one sound. A ratio to nothing, as that of a perfect copy, is None."""
    row = score(lambda _: coded.said, heard, with_pesq=with_pesq)
    if np.array_equal(coded.said, heard):
        row["si_snr"] = None  # or hundreds of dB, where two dot products are rounded apart
    return {k: v if v is None or math.isfinite(v) else None for k, v in row.items()}


def measure(
    signals: Sequence[Signal], coded: Iterable[Coded], *, with_pesq: bool, words: str = ""
) -> dict[str, Any]:
    """One point of a curve: kbit/s of all signals, in their order through a codec, and means."""
    rows, sizes = [], []
    pairs = zip(signals, coded, strict=True)
    for heard, one in tqdm(pairs, desc=words, total=len(signals), unit="prompt"):
        rows.append(score_coded(one, heard, with_pesq=with_pesq))
        sizes.append({"kbit_s": one.n_bytes, "kbit_s_plain": one.n_bytes_plain})
    seconds = sum(map(len, signals)) / SAMPLE_RATE_HZ
    known = [name for name, size in sizes[0].items() if size is not None]
    point = {n: round(sum(size[n] for size in sizes) * 8e-3 / seconds, 3) for n in known}
    means = summarise(rows)
    kept = (*METRICS, *(f"{name}_stderr" for name in WITH_ERROR), "left_out")
    return point | {name: means[name] for name in kept}


def code_transformed(written: WrittenSound, transform: MaskTransform, *, step: float) -> Coded:
    """Round what a model wrote in the transform's coordinates, and say it at 16 kHz."""
    inrs, n_bytes = transformed(written.inrs, transform, step=step)
    gains = written.inrs.gains.half().float()
    whole = replace(written, inrs=replace(inrs, gains=gains))
    return Coded(synthesise(whole, rate_hz=SAMPLE_RATE_HZ).numpy(), n_bytes + 2 * len(gains))


def curves(
    loaded: LoadedModel,
    signals: Sequence[Signal],
    *,
    fit_on: Sequence[Signal],
    with_pesq: bool,
) -> dict[str, list[dict[str, Any]]]:
    """All points of all curves, each at least with a label, kbit/s and metrics."""
    written, practice = (
        [write(loaded, heard) for heard in tqdm(some, desc=words, unit="prompt")]
        for some, words in ((signals, "write"), (fit_on, "write to fit"))
    )
    transform = fit_transform(written[0].config, [sound.inrs for sound in practice])

    def point(label: str, coded: Iterable[Coded], **facts: int) -> dict[str, Any]:
        found = measure(signals, coded, with_pesq=with_pesq, words=label)
        return {"label": label} | facts | found

    return {
        "INR": [
            point(f"{b} bits a number", (code_networks(w, bits=b) for w in written), bits=b)
            for b in INR_BITS
        ],
        "INR, transformed": [
            point(
                f"rounded to {100 * step:g} % of the sound",
                (code_transformed(w, transform, step=step) for w in written),
            )
            for step in STEPS
        ],
        "Opus": [
            point(f"Opus, {r} kbit/s asked", (code_opus(s, kbit_s=r) for s in signals))
            for r in OPUS_KBIT_S
        ],
        "PCM": [
            point("PCM, 16 bits a sample", map(code_pcm, signals)),
            point("PCM, 8 bits a sample, μ-law", map(code_mu_law, signals)),
        ],
    }


def parse_arguments() -> argparse.Namespace:
    words = "Quality against bytes a second, beside what a codec does."
    parser = argparse.ArgumentParser(prog="python -m train.sound.rates", description=words)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--model", default=READ_MODEL)
    parser.add_argument("--speech", default="data/speech")
    parser.add_argument("--splits", default="train/speech_splits.json")
    parser.add_argument("--limit", type=int, default=40, help="prompts")
    parser.add_argument("--fit", type=int, default=150, help="prompts to fit the transform to")
    parser.add_argument("--out", type=Path, help="results file (weights/results.json)")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    loaded = load_checkpoint(args.weights, f"sound-{args.model}")
    sounds, practice = (
        load_speech(args.speech, spread(read_speech_split(args.splits, split), limit))
        for split, limit in (("test", args.limit), ("train", args.fit))
    )
    signals, fit_on = ([s.sound(k).numpy() for k in range(len(s))] for s in (sounds, practice))
    with_pesq = importlib.util.find_spec("pesq") is not None
    found = curves(loaded, signals, fit_on=fit_on, with_pesq=with_pesq)
    rates = {
        "split": "test", "prompts": len(sounds), "seconds": round(sounds.seconds, 1),
        "model": args.model, "git": loaded.facts.get("git"), "curves": found,
        "reading": READING if args.model == READ_MODEL else "",
    }  # fmt: skip
    out = args.out or args.weights / "results.json"
    update(out, lambda results: results.setdefault("sound", {}).update(rates=rates))
    for point in (point for curve in found.values() for point in curve):
        print(point)


if __name__ == "__main__":
    main()
