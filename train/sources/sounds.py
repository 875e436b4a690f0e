"""Packs a folder of sound files, whoever recorded them, beside the speech: mono, 16 kHz.

    python -m train.sources.sounds FOLDER

With a table `index.tsv` in it, separated by tabs, a file may hold many clips in a row:

    source  kind  language  licence  file  start_s  seconds  speaker_or_title

Without one, every file is a clip, the folder above it the speaker or title, and the name of FOLDER
the source. Into data/speech/, for each source, as `train.sources.speech` does for a language:
`<source>.npy` (all clips one after another) and `<source>.json`. A clip's id is
`<source>/<speaker or title>/<number>`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int16
from tqdm import tqdm

from hyperdemo.media.audio import decode_audio, mix_to_mono, resample
from train.sources.packed import MIN_SECONDS, RATE_HZ, SILENCE_RMS, Prompt

TABLE = "index.tsv"
MAX_FILE_S = 3 * 3600.0


@dataclass(frozen=True)
class Clip:
    """A stretch of a file.

    Attributes:
        source: the collection that it comes from, lower case without spaces.
        group: speaker or title, likewise: what must not lie on both sides of a split.
        kind: "speech", "music", "effects" or whatever the table says.
        language: as the table says, "" where there is none.
        licence: as the table says.
        file: where it lies.
        start_s, seconds: which part of it; all of it where `seconds` is None.
    """

    source: str
    group: str
    kind: str
    language: str
    licence: str
    file: Path
    start_s: float = 0.0
    seconds: float | None = None


def slug(text: str) -> str:
    """Lower case, with a hyphen for whatever is neither letter, digit, dot nor underscore."""
    return re.sub(r"[^\w.]+", "-", text.lower()).strip("-") or "unnamed"


def list_clips(folder: Path) -> list[Clip]:
    """All clips of a folder, in the order of its table or of its files' names.

    Raises:
        ValueError: it holds no sound, or a table without the columns that are needed.
    """
    table = folder / TABLE
    if not table.is_file():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        if not files:
            raise ValueError(f"expected sound files in {folder}, got none")
        source = slug(folder.resolve().name)
        return [Clip(source, slug(path.parent.name), "", "", "", path) for path in files]
    with table.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    try:
        return [
            Clip(
                slug(row["source"]),
                slug(Path(row["speaker_or_title"]).name),
                row["kind"],
                row["language"],
                row["licence"],
                folder / row["file"],
                float(row["start_s"]),
                float(row["seconds"]),
            )
            for row in rows
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{table} is not a table of sounds as described here: {error}") from error


def read_mono(path: Path) -> Float[np.ndarray, " n"]:
    """A whole sound file at 16 kHz.

    Raises:
        ValueError: it is no sound.
    """
    clip = decode_audio(path, max_seconds=MAX_FILE_S)
    return resample(mix_to_mono(clip), from_hz=clip.rate_hz, to_hz=RATE_HZ)


def cut(clips: Sequence[Clip], *, progress: bool = False) -> Iterator[Int16[np.ndarray, " n"]]:
    """The samples of every clip, each file decoded once as long as its clips come in a row."""
    path, samples = None, np.empty(0, np.float32)
    for clip in tqdm(clips, disable=not progress):
        if clip.file != path:
            path, samples = clip.file, read_mono(clip.file)
        first = round(clip.start_s * RATE_HZ)
        last = len(samples) if clip.seconds is None else first + round(clip.seconds * RATE_HZ)
        yield np.round(np.clip(samples[first:last], -1.0, 1.0) * 32767).astype(np.int16)


def usable(samples: Int16[np.ndarray, " n"]) -> bool:
    """Whether a clip is half a second long at least, and not silent."""
    long = len(samples) >= MIN_SECONDS * RATE_HZ
    return long and bool(np.sqrt(np.square(samples / 32768).mean()) >= SILENCE_RMS)


def pack(clips: Sequence[Clip], out: Path, *, progress: bool = False) -> dict[str, float]:
    """Write all sources; returns the minutes of each.

    Clips that are shorter than half a second, or silent, are left out.
    """
    kept: dict[str, list[np.ndarray]] = defaultdict(list)
    prompts: dict[str, list[Prompt]] = defaultdict(list)
    numbers, starts, licences = Counter[str](), Counter[str](), defaultdict(set)
    kinds = {clip.source: clip.kind for clip in clips}
    for clip, samples in zip(clips, cut(clips, progress=progress), strict=True):
        if not usable(samples):
            continue
        name, source = f"{clip.source}/{clip.group}", clip.source
        prompts[source].append(
            Prompt(f"{name}/{numbers[name]:04d}", starts[source], len(samples), "")
        )
        kept[source].append(samples)
        numbers[name] += 1
        starts[source] += len(samples)
        licences[source].add(clip.licence)
    out.mkdir(parents=True, exist_ok=True)
    for source, parts in kept.items():
        np.save(out / f"{source}.npy", np.concatenate(parts))
        index = {
            "language": source,
            "kind": kinds[source],
            "rate_hz": RATE_HZ,
            "licences": sorted(licences[source]),
            "prompts": [asdict(prompt) for prompt in prompts[source]],
        }
        (out / f"{source}.json").write_text(json.dumps(index, ensure_ascii=False) + "\n")
    return {source: total / RATE_HZ / 60 for source, total in starts.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("data/speech"))
    args = parser.parse_args(arguments)
    try:
        minutes = pack(list_clips(args.folder), args.out, progress=True)
    except ValueError as error:
        raise SystemExit(f"train.sources.sounds: {error}") from error
    for source, length in minutes.items():
        print(f"{args.out / source}: {length:.1f} minutes")


if __name__ == "__main__":
    main()
