"""Quality against bytes a second, beside what a codec does: `python -m train.sound.rates`.

Three curves over the same held-out prompts, scored by the same metrics:

- INR: what the pretrained model writes for a clip, masks and gains, with the masks rounded to
  fewer and fewer bits. Base weights and biases are the same for all clips: they belong to the
  decoder, as the tables of Opus do, and are not counted.
- Opus: libopus at 16 kHz, from a call's bit rates to more than speech needs.
- PCM: samples as they are, and through the μ-law of telephony.

Bytes are those of the payload: no curve counts a container, nor how long the clip is. The kbit/s
of a set are all its bits by all its seconds. `kbit_s_plain` of the INRs has every number in
as many bits as it was rounded to; `kbit_s` is after lossless coding, where that helps.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import lzma
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from jaxtyping import Float, Integer
from tqdm import tqdm

from hyperdemo.checkpoints import LoadedModel, load_checkpoint
from hyperdemo.config import SAMPLE_RATE_HZ, SoundRequest
from hyperdemo.events import Written
from hyperdemo.inr import WrittenSound, synthesise
from hyperdemo.media.audio import decode_audio
from hyperdemo.pipeline.sound import SoundPipeline
from hyperdemo.preprocess.sound import PreparedSound
from train.results_file import update
from train.sound.data import load_speech
from train.sound.evaluate import METRICS, WITH_ERROR, Signal, score, summarise
from train.sound.splits import read_speech_split
from train.subsets import spread

# Of the shipped model on 40 prompts, measured before it was written.
READING = (
    "Rounded from 16 to 8 bits a number, what the model writes takes 83 kbit/s instead of 251 and "
    "loses 0.4 dB of SI-SNR, but Opus reaches that SI-SNR with 24 kbit/s and that PESQ with "
    "12. So this is no codec, and was not trained to be one: it writes 498 numbers for every 400 "
    "new samples of sound, and nothing in its training asked for fewer or coarser ones, while "
    "Opus spends its bits where an ear would miss them."
)
READ_MODEL = "foundation"
HALF = 16
"""Bits at which a mask is stored as float16, and not as a number between two ends."""
INR_BITS = (HALF, 8, 6, 5, 4, 3)
OPUS_KBIT_S = (6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
MU = 255
_FULL_SCALE = 32768
# Contexts of the byte before (lc) and of the position (pb) are for text and for structures; both
# only dilute the statistics of small numbers. Raw, since a header would say what is known.
_LZMA = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}

Numbers = Float[np.ndarray, "n g"]
Integers = Integer[np.ndarray, "n g"]


@dataclass(frozen=True)
class Coded:
    """A sound that went through a codec.

    Attributes:
        said: what comes out, at 16 kHz.
        n_bytes: of its payload.
        n_bytes_plain: before lossless coding, where the codec has that step.
    """

    said: Signal
    n_bytes: int
    n_bytes_plain: int | None = None


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


def code_opus(heard: Signal, *, kbit_s: int) -> Coded:
    """Through libopus, with its defaults: variable bit rate, tuned for faithfulness.

    The Ogg file in between says how many samples come before the sound and after it, and the
    decoder drops them. It is libopus again, at 16 kHz: PyAV's would give 48 kHz, to be resampled
    at a loss of up to 3.5 dB of SI-SNR. The lag that is left is Opus's own: none from 12 kbit/s on,
    about half a sample below, where it halves the bandwidth.

    Args:
        heard: at 16 kHz.
        kbit_s: asked for; the encoder spends more or less, and what it spent is counted.

    Raises:
        ValueError: what comes out is not as long as what went in.
    """
    file, n_bytes = io.BytesIO(), 0
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE_HZ)
        stream.layout, stream.bit_rate = "mono", 1000 * kbit_s
        stream.codec_context.format = "s16"
        frame = av.AudioFrame.from_ndarray(_int16(heard)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            n_bytes += packet.size
            container.mux(packet)
    # One sample more than there should be, so that what is too long is seen to be.
    clip = decode_audio(file.getvalue(), max_seconds=(len(heard) + 1) / SAMPLE_RATE_HZ)
    if (clip.rate_hz, clip.samples.shape) != (SAMPLE_RATE_HZ, (1, len(heard))):
        got = f"{list(clip.samples.shape)} at {clip.rate_hz} Hz"
        raise ValueError(f"expected [1, {len(heard)}] at {SAMPLE_RATE_HZ} Hz, got {got}")
    return Coded(clip.samples[0], n_bytes)


def code_pcm(heard: Signal) -> Coded:
    """16 bits a sample."""
    return Coded((_int16(heard) / np.float32(_FULL_SCALE)).astype(np.float32), 2 * len(heard))


def code_mu_law(heard: Signal) -> Coded:
    """8 bits a sample: sign and 7 bits of ln(1 + μ|x|) / ln(1 + μ), with μ = 255.

    The law that the segments of ITU-T G.711 approximate. Silence stays silent.
    """
    x = np.clip(heard.astype(np.float64), -1, 1)
    levels = np.rint(127 * np.log1p(MU * np.abs(x)) / math.log1p(MU))
    said = np.sign(x) * np.expm1(levels / 127 * math.log1p(MU)) / MU
    return Coded(said.astype(np.float32), len(heard))


def _int16(heard: Signal) -> Integer[np.ndarray, " n"]:
    full = _FULL_SCALE
    return np.clip(np.rint(heard * np.float64(full)), -full, full - 1).astype(np.int16)


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


def curves(
    loaded: LoadedModel, signals: Sequence[Signal], *, with_pesq: bool
) -> dict[str, list[dict[str, Any]]]:
    """All points of all curves, each at least with a label, kbit/s and metrics."""
    written = [write(loaded, heard) for heard in tqdm(signals, desc="write", unit="prompt")]

    def point(label: str, coded: Iterable[Coded], **facts: int) -> dict[str, Any]:
        found = measure(signals, coded, with_pesq=with_pesq, words=label)
        return {"label": label} | facts | found

    return {
        "INR": [
            point(f"{b} bits a number", (code_networks(w, bits=b) for w in written), bits=b)
            for b in INR_BITS
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
    parser.add_argument("--out", type=Path, help="results file (weights/results.json)")
    return parser.parse_args()


def main() -> None:
    args = parse_arguments()
    loaded = load_checkpoint(args.weights, f"sound-{args.model}")
    sounds = load_speech(args.speech, spread(read_speech_split(args.splits, "test"), args.limit))
    signals = [sounds.sound(k).numpy() for k in range(len(sounds))]
    with_pesq = importlib.util.find_spec("pesq") is not None
    found = curves(loaded, signals, with_pesq=with_pesq)
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
