"""Data sets as tar shards of the WebDataset format, in a folder or an object store.

    shards/000000.tar, 000001.tar, …      each with some hundred samples
    shards/shards.json                    how many samples each holds

A sample's files lie in a folder of its own in the tar: `<id>/sample.webp`, `<id>/sample.json`. Any
URL that fsspec knows will do: `s3://bucket/views`, `gs://…`, `memory://…`, or a plain folder.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import fsspec
import numpy as np
from fsspec import AbstractFileSystem
from webdataset.tariterators import group_by_keys, tar_file_expander
from webdataset.writer import TarWriter

INDEX = "shards.json"
Sample = Mapping[str, bytes]
"""The contents of a sample's files by their ending, and its id under "id"."""


@dataclass(frozen=True)
class Shards:
    """A data set of shards.

    Attributes:
        url: of the folder.
        counts: samples in each shard, by its name.
    """

    url: str
    counts: Mapping[str, int]

    def __len__(self) -> int:
        return sum(self.counts.values())

    def stream(self, *, seed: tuple[int, ...], start: int = 0) -> Iterator[dict[str, bytes | str]]:
        """All samples again and again, in every pass the shards in another order.

        Args:
            seed: of the orders; workers with different ones read in different orders.
            start: samples to pass over; whole shards of them are not read.
        """
        names = sorted(self.counts)
        done, left = divmod(start, len(self))
        while True:
            for k in np.random.default_rng((*seed, done)).permutation(len(names)):
                if left >= self.counts[names[k]]:
                    left -= self.counts[names[k]]
                    continue
                for number, sample in enumerate(read_shard(f"{self.url}/{names[k]}")):
                    if number >= left:
                        yield sample
                left = 0
            done += 1


def open_shards(url: str) -> Shards:
    """
    Raises:
        ValueError: there is no index of shards, or no sample.
    """
    files, folder = _place(url)
    if not files.isfile(f"{folder}/{INDEX}"):
        raise ValueError(f"no {INDEX} in {url}; make shards with python -m train.cluster.make")
    found = Shards(url, json.loads(files.cat_file(f"{folder}/{INDEX}")))
    if not len(found):
        raise ValueError(f"the shards of {url} hold no sample")
    return found


def read_shard(url: str) -> Iterator[dict[str, bytes | str]]:
    """The samples of one shard in their order, one in memory at a time."""
    with fsspec.open(url, "rb") as stream:
        files = tar_file_expander([{"url": url, "stream": stream}])
        for sample in group_by_keys(files):
            name = sample.pop("__key__").rpartition("/")[0]
            yield {k: v for k, v in sample.items() if not k.startswith("__")} | {"id": name}


def write_shard(url: str, samples: Iterable[Sample]) -> int:
    """Write a shard under its name only when it is complete; returns how many samples it holds.

    A shard that is there stays as it is, and `samples` are not asked for.
    """
    files, path = _place(url)
    if files.isfile(path):
        return sum(1 for _ in read_shard(url))
    count = 0
    with tempfile.TemporaryDirectory() as scratch:
        draft = Path(scratch) / "shard.tar"
        # Without times and names of users the same samples give the same bytes.
        with draft.open("wb") as stream, TarWriter(stream, encoder=False, mtime=0) as tar:
            for sample in samples:
                endings = {k: v for k, v in sample.items() if k != "id"}
                tar.write({"__key__": f"{sample['id']}/sample", **endings})
                count += 1
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
        files.put_file(str(draft), f"{path}.part")
        files.mv(f"{path}.part", path)
    return count


def write_index(url: str, counts: Mapping[str, int]) -> None:
    """Make a data set of the shards of a folder; those without samples are left out."""
    files, folder = _place(url)
    kept = {name: count for name, count in sorted(counts.items()) if count}
    files.makedirs(folder, exist_ok=True)
    files.pipe_file(f"{folder}/{INDEX}", json.dumps(kept, indent=1).encode())


def _place(url: str) -> tuple[AbstractFileSystem, str]:
    """Where a URL is, and its path there."""
    return fsspec.core.url_to_fs(url.rstrip("/"))
