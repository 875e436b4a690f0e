"""Training on shards that do not fit into memory: a window of the stream moves over them.

A step draws from the last `pool` samples of the stream as it does from a whole data set. Then the
oldest make way for the next ones, which a thread has read meanwhile. What the pool holds depends on
the step, the seed and the worker alone, so that a run goes on exactly.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from io import BytesIO
from itertools import islice
from typing import Any, Generic, TypeVar

import numpy as np
import soundfile
import torch
from jaxtyping import Float, Int16
from torch import Tensor

from hyperdemo.learn.views import ViewSet, turns_to_front
from hyperdemo.model import HyperModel
from hyperdemo.preprocess import frame_input
from train.cluster.shards import Shards, open_shards
from train.cluster.team import Team
from train.config import SoundData, TrainConfig, ViewData
from train.objects.sheets import load_sheet, parse_transforms
from train.sound.data import SoundSet, join_sounds
from train.sound.task import SoundTask
from train.view.task import ViewTask

T = TypeVar("T")
Step = tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]


class Pool(Generic[T]):
    """The samples of a stream that a step may draw from.

    Args:
        shards: of the data set.
        decode: a sample as `Shards.stream` gives it.
        size: samples that are held at a time.
        fresh: samples that are replaced between two steps.
        seed: of the order of the stream.
    """

    def __init__(
        self,
        shards: Shards,
        decode: Callable[[Mapping[str, Any]], T],
        *,
        size: int,
        fresh: int,
        seed: tuple[int, ...],
    ):
        self.shards, self.decode, self.size, self.fresh = shards, decode, size, fresh
        self.seed = seed
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="shards")
        self._next: Future[list[T]] | None = None

    def fill(self, step: int) -> Iterator[tuple[int, T]]:
        """Place and content of everything that the pool holds at a step."""
        first = step * self.fresh
        if self._next is not None:
            self._next.result()  # the reader is done with the stream before
        self._stream: Iterator[T] = map(
            self.decode, self.shards.stream(seed=self.seed, start=first)
        )
        self._at = first
        yield from self._place(islice(self._stream, self.size))
        self._next = self._reader.submit(self._read)

    def advance(self) -> Iterator[tuple[int, T]]:
        """Place and content of what is new at the next step."""
        assert self._next is not None, "fill the pool first"
        yield from self._place(iter(self._next.result()))
        self._next = self._reader.submit(self._read)

    def _read(self) -> list[T]:
        return list(islice(self._stream, self.fresh))

    def _place(self, items: Iterator[T]) -> Iterator[tuple[int, T]]:
        for item in items:
            yield self._at % self.size, item
            self._at += 1


def pool_of(config: TrainConfig, split: str, decode: Callable[[Mapping[str, Any]], T]) -> Pool[T]:
    """This worker's pool of a split of a run's data."""
    data, rank = config.data, Team.here().rank
    url = data.views_dir if isinstance(data, ViewData) else data.speech_dir
    shards = open_shards(f"{url}/{split}")
    return Pool(shards, decode, size=data.pool, fresh=data.fresh, seed=(config.seed, rank))


def decode_object(sample: Mapping[str, Any], *, input_size: int) -> ViewSet:
    """A sample with an object's sheet of views (`webp`), cameras (`json`) and class (`txt`), as a
    data set of one."""
    pictures = load_sheet(BytesIO(sample["webp"]))
    cameras, angle = parse_transforms(json.loads(sample["json"]))
    framed = np.stack([frame_input(picture, size=input_size) for picture in pictures])
    poses = torch.from_numpy(cameras)[None]
    return ViewSet(
        (sample["id"],), (sample["txt"].decode(),), torch.from_numpy(pictures)[None],
        torch.from_numpy(framed)[None], poses, turns_to_front(poses), math.degrees(angle),
    )  # fmt: skip


def views_of(objects: Sequence[ViewSet]) -> ViewSet:
    """Data sets of one object each as one."""
    pixels = (
        torch.cat([getattr(one, name) for one in objects])
        for name in ("rgba", "framed", "poses", "turns")
    )
    ids, classes = (tuple(getattr(one, name)[0] for one in objects) for name in ("ids", "classes"))
    return ViewSet(ids, classes, *pixels, objects[0].fov_deg)


def load_views_of_shards(url: str, *, input_size: int) -> ViewSet:
    """All objects of some shards, in memory: for a split to score on."""
    shards = open_shards(url)
    samples = islice(shards.stream(seed=(0,)), len(shards))
    objects = (decode_object(sample, input_size=input_size) for sample in samples)
    return views_of(sorted(objects, key=lambda one: one.ids))


class _Moving:
    """What both tasks do with a pool: step by step it moves on."""

    pool: Pool[Any]
    step: int = 0
    used: bool = False

    def go_to(self, step: int) -> None:
        """Hold what belongs to a step; the loop says so where it begins or goes on."""
        if self.used or step != self.step:
            self._put(self.pool.fill(step))
        self.step, self.used = step, False

    def loss(self, model: HyperModel, *, generator: torch.Generator) -> Step:
        if self.used:
            self._put(self.pool.advance())
            self.step += 1
        self.used = True
        return super().loss(model, generator=generator)


class StreamedViewTask(_Moving, ViewTask):
    """The view task on a pool of objects; the split "val" is held in memory."""

    @classmethod
    def load(cls, config: TrainConfig, *, device: torch.device) -> StreamedViewTask:
        """
        Raises:
            ValueError: there are no such shards.
        """
        size = config.model.backbone.image_size
        pool = pool_of(config, "train", partial(decode_object, input_size=size))
        objects = [item for _, item in pool.fill(0)]
        val_views = load_views_of_shards(f"{config.data.views_dir}/val", input_size=size)
        task = cls(config, views_of(objects), val_views, device=device)
        task.pool = pool
        return task

    @property
    def facts(self) -> dict[str, int]:
        return {"train_objects": len(self.pool.shards)}

    def _put(self, items: Iterator[tuple[int, ViewSet]]) -> None:
        for place, new in items:
            for name in ("rgba", "framed", "poses", "turns"):
                getattr(self.train_views, name)[place] = getattr(new, name)[0].to(self.device)


Clip = tuple[str, Int16[np.ndarray, " n"], str]
"""Id, samples and what is said."""


def decode_clip(sample: Mapping[str, Any]) -> Clip:
    """A sample with a clip at 16 kHz (`flac`) and what it says (`txt`)."""
    samples, _ = soundfile.read(BytesIO(sample["flac"]), dtype="int16")
    return sample["id"], samples, sample["txt"].decode()


def _sounds_of(clips: Sequence[Clip]) -> SoundSet:
    return join_sounds(*zip(*clips, strict=True))


class StreamedSoundTask(_Moving, SoundTask):
    """The sound task on a pool of clips; the split "val" is held in memory."""

    @classmethod
    def load(cls, config: TrainConfig, *, device: torch.device) -> StreamedSoundTask:
        """
        Raises:
            ValueError: there are no such shards.
        """
        assert isinstance(config.data, SoundData)
        pool = pool_of(config, "train", decode_clip)
        clips = [clip for _, clip in pool.fill(0)]
        val = open_shards(f"{config.data.speech_dir}/val")
        held = sorted(map(decode_clip, islice(val.stream(seed=(0,)), len(val))), key=lambda c: c[0])
        task = cls(config, _sounds_of(clips), _sounds_of(held), device=device)
        task.pool, task.clips = pool, clips
        return task

    @property
    def facts(self) -> dict[str, int]:
        return {"train_prompts": len(self.pool.shards)}

    def _put(self, items: Iterator[tuple[int, Clip]]) -> None:
        for place, clip in items:
            self.clips[place] = clip
        self.train_sounds = _sounds_of(self.clips).to(self.device)
