"""Makes shards to train on from models or sound files, on as many machines as Ray has.

    python -m train.cluster.make views --models data/models --splits train/splits.json --out URL
    python -m train.cluster.make sounds FOLDER --out URL

Each shard is a task: it renders its objects, or decodes its clips, and writes one tar file. Shards
that are there are not made again, and one that was being made when its machine was lost is begun
anew, so the command may be given again at any time. URL is a folder or whatever fsspec knows, such
as `s3://bucket/views`; all machines must see the models or sounds under the same paths.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import soundfile
from tqdm import tqdm

from train.cluster.runtime import spread
from train.cluster.shards import Sample, write_index, write_shard
from train.objects.entries import Entry, classify, read_entries, why_unused
from train.objects.render_views import process_rasteriser, render_piece
from train.objects.sheets import SHEET, TRANSFORMS
from train.objects.splits import SPLITS_PATH, load_splits
from train.objects.variants import variant_id
from train.sources.packed import RATE_HZ
from train.sources.sounds import Clip, cut, list_clips, usable

T = TypeVar("T")
HELD_OUT = 0.02
"""Share of the speakers or titles of a folder of sounds in each of "val" and "test"."""


@dataclass(frozen=True)
class Shard:
    """One task: what goes into a shard, and its name."""

    split: str
    name: str
    items: tuple

    @property
    def path(self) -> str:
        return f"{self.split}/{self.name}"


def divide(split: str, items: Sequence[T], *, per_shard: int) -> Iterator[Shard]:
    """Shards of so many items each, in their order.

    Raises:
        ValueError: none in a shard.
    """
    if per_shard < 1:
        raise ValueError(f"expected at least one sample per shard, got {per_shard}")
    for number, first in enumerate(range(0, len(items), per_shard)):
        yield Shard(split, f"{number:06d}.tar", tuple(items[first : first + per_shard]))


def make(shards: Sequence[Shard], out: str, samples: Callable[[Shard], Iterable[Sample]]) -> int:
    """Make the shards that are missing, then the index of every split; returns their samples.

    Raises:
        RuntimeError: some shards could not be made; the others are there.
    """
    counts: dict[str, dict[str, int]] = defaultdict(dict)
    failed: dict[str, Exception] = {}
    work = partial(_write, out=out.rstrip("/"), samples=samples)
    for shard, found in tqdm(spread(work, shards), total=len(shards), unit="shard"):
        if isinstance(found, Exception):
            failed[shard.path] = found
        else:
            counts[shard.split][shard.name] = found
    if failed:
        first = next(iter(failed))
        raise RuntimeError(
            f"{len(failed)} of {len(shards)} shards could not be made, such as {first}: "
            f"{failed[first]}. The others are there; give the command again"
        ) from failed[first]
    for split, found in counts.items():
        write_index(f"{out.rstrip('/')}/{split}", found)
    return sum(sum(found.values()) for found in counts.values())


def _write(shard: Shard, *, out: str, samples: Callable[[Shard], Iterable[Sample]]) -> int:
    return write_shard(f"{out}/{shard.path}", samples(shard))


def rendered(shard: Shard, *, views: Path | None = None) -> Iterator[Sample]:
    """The usable ones of a shard's objects, pairs of an entry and the number of its variant.

    Args:
        views: folder of `train.objects.render_views`, whose objects are not rendered again.
    """
    os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's: a thread per core in every process
    with tempfile.TemporaryDirectory() as scratch:
        for entry, variant in shard.items:
            name = variant_id(entry.object_id, variant)
            there = views is not None and (views / name / TRANSFORMS).is_file()
            folder = views if there else Path(scratch)
            rasteriser = None if there else process_rasteriser()
            if not there and render_piece(entry, folder, rasteriser, variant=variant):
                continue
            yield {
                "id": name,
                "webp": (folder / name / SHEET).read_bytes(),
                "json": (folder / name / TRANSFORMS).read_bytes(),
                "txt": classify(entry).encode(),
            }


def divide_objects(
    entries: Sequence[Entry],
    splits: Mapping[str, Sequence[str]],
    *,
    variants: int,
    per_shard: int,
) -> list[Shard]:
    """The shards of every split; the training's hold each object's variants too."""
    usable_ones = {entry.object_id: entry for entry in entries if not why_unused(entry)}
    found: list[Shard] = []
    for split, ids in splits.items():
        numbers = range(variants + 1 if split == "train" else 1)
        items = [(usable_ones[name], k) for name in ids if name in usable_ones for k in numbers]
        found += divide(split, items, per_shard=per_shard)
    return found


def decoded(shard: Shard) -> Iterator[Sample]:
    """A shard's clips, but for those that are too short or silent, as FLAC at 16 kHz."""
    names, clips = zip(*shard.items, strict=True)
    for name, samples in zip(names, cut(clips), strict=True):
        if usable(samples):
            flac = BytesIO()
            soundfile.write(flac, samples, RATE_HZ, format="FLAC", subtype="PCM_16")
            yield {"id": name, "flac": flac.getvalue(), "txt": b""}


def divide_clips(clips: Sequence[Clip], *, split: str | None, per_shard: int) -> list[Shard]:
    """The shards of every split: one for all, or by speaker or title, at random but for ever."""
    found: dict[str, list[tuple[str, Clip]]] = defaultdict(list)
    for number, clip in enumerate(clips):
        group = f"{clip.source}/{clip.group}"
        found[split or split_of(group)].append((f"{group}/{number:08d}", clip))
    return [s for name, items in found.items() for s in divide(name, items, per_shard=per_shard)]


def split_of(group: str) -> str:
    """The split of a speaker or title, by a hash of its name."""
    chance = int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") / 2**64
    return "val" if chance < HELD_OUT else "test" if chance < 2 * HELD_OUT else "train"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.cluster.make",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    views, sounds = (kinds.add_parser(name) for name in ("views", "sounds"))
    views.add_argument("--sources", type=Path, default=Path("data/sources"))
    views.add_argument("--models", type=Path, help="folder of models with a table")
    views.add_argument("--splits", type=Path, default=SPLITS_PATH)
    views.add_argument("--views", type=Path, help="objects that are rendered already")
    views.add_argument("--variants", type=int, default=0, help="of each training object")
    sounds.add_argument("folder", type=Path)
    sounds.add_argument("--split", help="of all the folder's sounds; by speaker if not given")
    for one in (views, sounds):
        one.add_argument("--out", required=True, metavar="URL")
        one.add_argument("--per-shard", type=int, default=256, help="samples per shard")
    args = parser.parse_args(argv)
    if args.kind == "views":
        splits = {k: v for k, v in load_splits(args.splits).items() if k != "classes"}
        shards = divide_objects(
            read_entries(args.sources, args.models), splits, variants=args.variants,
            per_shard=args.per_shard,
        )  # fmt: skip
        samples = make(shards, args.out, partial(rendered, views=args.views))
    else:
        clips = list_clips(args.folder)
        shards = divide_clips(clips, split=args.split, per_shard=args.per_shard)
        samples = make(shards, args.out, decoded)
    print(json.dumps({"shards": len(shards), "samples": samples, "out": args.out}))


if __name__ == "__main__":
    main()
