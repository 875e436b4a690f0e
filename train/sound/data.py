"""Recordings as training batches: windows of a fixed length out of many sounds of 16 kHz."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, Int16
from torch import Tensor

from train.config import SoundData
from train.sound.librispeech import read_utterances, utterances
from train.sound.splits import expand, read_speech_split
from train.sources.packed import RATE_HZ, read_prompts

FULL_SCALE = 32768
# -40 dB of full scale: above a studio's pauses (-38 to -53 dB at their loudest 5 %), below speech.
MIN_RMS = 0.01
# Of a sound that is silent nearly everywhere some window must be taken in the end.
_TRIES = 8


@dataclass(frozen=True)
class SoundSet:
    """Sounds in memory, one after another.

    Attributes:
        ids: names of the n sounds.
        samples: of all of them, t in number.
        starts: where each begins in `samples`.
        lengths: samples of each, none of them 0.
        texts: what each says, "" where that is not known.
        rate_hz: samples a second.
    """

    ids: tuple[str, ...]
    samples: Int16[Tensor, " t"]
    starts: Int[Tensor, " n"]
    lengths: Int[Tensor, " n"]
    texts: tuple[str, ...]
    rate_hz: int = RATE_HZ

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def seconds(self) -> float:
        return int(self.lengths.sum()) / self.rate_hz

    def to(self, device: torch.device | str) -> SoundSet:
        return replace(
            self,
            samples=self.samples.to(device),
            starts=self.starts.to(device),
            lengths=self.lengths.to(device),
        )

    def sound(self, index: int) -> Float[Tensor, " samples"]:
        """One whole sound in [-1, 1)."""
        start = int(self.starts[index])
        return self.samples[start : start + int(self.lengths[index])].float() / FULL_SCALE


def join_sounds(ids: Sequence[str], sounds: Sequence[np.ndarray], texts: Sequence[str]) -> SoundSet:
    """Sounds and what they say, by their ids, as a data set in memory.

    Raises:
        ValueError: there is none, or one is empty.
    """
    empty = [name for name, samples in zip(ids, sounds, strict=True) if not len(samples)]
    if empty or not ids:
        raise ValueError(f"expected sounds that are not empty, got {empty or 'no sound'}")
    lengths = torch.tensor([len(samples) for samples in sounds])
    return SoundSet(
        tuple(ids),
        torch.from_numpy(np.concatenate(sounds)),
        lengths.cumsum(0) - lengths,
        lengths,
        tuple(texts),
    )


def load_speech(speech_dir: str | Path, ids: Sequence[str]) -> SoundSet:
    """Read some prompts that `train.sources.speech` packed.

    Args:
        speech_dir: folder of the packed languages.
        ids: prompts such as `en/digits/1`, of any languages; the order is kept.

    Raises:
        ValueError: a language or a prompt is not there.
    """
    languages = sorted({name.partition("/")[0] for name in ids})
    packed = {code: read_prompts(speech_dir, code) for code in languages}
    prompts = {prompt.id: prompt for found in packed.values() for prompt in found}
    if missing := [name for name in ids if name not in prompts]:
        raise ValueError(
            f"{speech_dir} holds no {', '.join(missing[:5])} ({len(missing)} of {len(ids)} prompts "
            "are missing); run python -m train.sources.speech, and train.sound.splits for its ids"
        )
    # Read as they are needed: of most languages a split takes only a part.
    arrays = {c: np.load(Path(speech_dir) / f"{c}.npy", mmap_mode="r") for c in languages}
    chosen = [prompts[name] for name in ids]
    sounds = [arrays[p.id.partition("/")[0]][p.start : p.start + p.length] for p in chosen]
    return join_sounds(ids, sounds, [prompt.text for prompt in chosen])


def split_ids(data: SoundData, split: str) -> list[str]:
    """Prompts, or LibriSpeech's utterances, of a split.

    Raises:
        ValueError: there is no such split, or nothing in it.
    """
    if data.format == "librispeech":
        return utterances(data.speech_dir, split)
    entries = read_speech_split(data.splits_file, split)
    sources = {entry.partition("/")[0] for entry in entries if entry.endswith("/")}
    known = [clip.id for name in sorted(sources) for clip in read_prompts(data.speech_dir, name)]
    return expand(entries, known)


def load_sounds(data: SoundData, ids: Sequence[str]) -> SoundSet:
    """Read some sounds of a data set, whichever its format.

    Raises:
        ValueError: one is not there.
    """
    if data.format == "librispeech":
        return join_sounds(ids, *read_utterances(data.speech_dir, ids))
    return load_speech(data.speech_dir, ids)


def draw_windows(
    sounds: SoundSet,
    *,
    count: int,
    window: int,
    generator: torch.Generator,
    flip: float = 0.0,
    min_rms: float = MIN_RMS,
) -> Float[Tensor, "count window"]:
    """Random windows, a sound taken as often as it is long.

    A window lies wholly within its sound, anywhere; a shorter sound lies wholly within its
    window, anywhere, with zeros around. A window below `min_rms` is drawn anew, sound and place,
    up to seven times, so that pauses are rare but nothing loops for ever on a set of silence.

    Args:
        sounds: what to draw from.
        count: windows.
        window: samples of each.
        generator: on the sounds' device; all that is random comes from it.
        flip: share of the windows with their sign turned, which no ear can tell.
        min_rms: of a window with its padding, full scale being 1; 0 takes whatever comes.

    Returns:
        Samples in [-1, 1].

    Raises:
        ValueError: a number is out of range.
    """
    if min(count, window) < 1 or not 0 <= flip <= 1 or min_rms < 0:
        raise ValueError(
            "expected count and window of at least 1, min_rms of at least 0 and flip from 0 to 1, "
            f"got {count=}, {window=}, {min_rms=}, {flip=}"
        )
    device = sounds.samples.device
    drawn = _draw(sounds, count, window, generator)
    for _ in range(_TRIES - 1):
        quiet = _rms(drawn) < min_rms
        if not quiet.any():
            break
        drawn[quiet] = _draw(sounds, int(quiet.sum()), window, generator)

    if flip:
        turned = torch.rand(count, 1, device=device, generator=generator) < flip
        drawn = torch.where(turned, -drawn, drawn)
    return drawn


def _rms(windows: Float[Tensor, "m window"]) -> Float[Tensor, " m"]:
    return windows.square().mean(1).sqrt()


def _draw(
    sounds: SoundSet, count: int, window: int, generator: torch.Generator
) -> Float[Tensor, "count window"]:
    device = sounds.samples.device
    # A random sample of all is of a sound as often as that is long; a table of weights for
    # torch.multinomial would be limited to 2**24 sounds' rounding.
    ends = sounds.lengths.cumsum(0)
    place = torch.randint(int(ends[-1]), (count,), device=device, generator=generator)
    index = torch.searchsorted(ends, place, right=True)
    spare = sounds.lengths[index] - window
    share = torch.rand(count, device=device, generator=generator, dtype=torch.float64)
    # Below 0 for a short sound, which begins so many samples after its window.
    offset = (share * (spare.abs() + 1)).long() * spare.sign()
    return _cut(sounds, index, offset, window)


def _cut(
    sounds: SoundSet, index: Int[Tensor, " m"], offset: Int[Tensor, " m"], window: int
) -> Float[Tensor, "m window"]:
    """Windows that begin at an offset in their sounds, zero before and past the sounds."""
    cut = torch.zeros(len(index), window, device=sounds.samples.device)
    places = (sounds.starts[index], sounds.lengths[index], offset)
    # Slices: to gather samples one by one, each with an index of 8 bytes, takes ten times longer.
    for row, start, length, first in zip(cut, *(t.tolist() for t in places), strict=True):
        low, high = max(first, 0), min(first + window, length)
        row[low - first : high - first] = sounds.samples[start + low : start + high]
    return cut.div_(FULL_SCALE)


def every_window(sounds: SoundSet, *, window: int) -> Float[Tensor, "m window"]:
    """All windows of every sound side by side, in order.

    Args:
        sounds: what to cut.
        window: samples of each window; the last one of a sound is filled up with zeros.

    Returns:
        Samples in [-1, 1).

    Raises:
        ValueError: the window is shorter than a sample.
    """
    if window < 1:
        raise ValueError(f"expected a window of at least one sample, got {window=}")
    counts = (sounds.lengths + window - 1).div(window, rounding_mode="floor")
    index = torch.arange(len(sounds), device=counts.device).repeat_interleave(counts)
    first = (counts.cumsum(0) - counts)[index]
    starts = (torch.arange(len(index), device=counts.device) - first) * window
    return _cut(sounds, index, starts, window)
