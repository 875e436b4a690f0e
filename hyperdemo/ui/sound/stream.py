"""From the pipeline's events to what the page plays: a plain generator of typed updates.

It knows no Gradio. Files are written to a folder that the caller owns.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from hyperdemo.config import SAMPLE_RATE_HZ, SoundRequest
from hyperdemo.events import Done, Heard, Progress, Written
from hyperdemo.inr import WrittenSound, synthesise
from hyperdemo.inr.export_sound import export_sound, load_sound
from hyperdemo.media.audio import encode_wav
from hyperdemo.metrics import SoundScores, score_sound
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.preprocess.sound import PreparedSound
from hyperdemo.results.files import origin
from hyperdemo.ui.object.stream import Status

ORIGINAL = "original"
"""Key of the track that went in; those of the others are the models' names."""

_WRITING = 0.9  # share of the bar; the rest is for measuring


@dataclass(frozen=True)
class Piece:
    """Consecutive samples of a track as a 16-bit WAV file, the first of them number `start`."""

    start: int
    path: Path


@dataclass(frozen=True)
class Playlist:
    """All that can be heard so far, so that a page may miss any playlist but the last.

    Attributes:
        rate_hz: of every track, the clip's own.
        n_samples: of every track when it is whole.
        tracks: the pieces of each, in a row and without a gap.
        complete: nothing more will come.
    """

    rate_hz: int
    n_samples: int
    tracks: Mapping[str, tuple[Piece, ...]]
    complete: bool = False


@dataclass(frozen=True)
class SoundResult:
    """All that came out.

    Attributes:
        waves: each model's whole resynthesis at the clip's own rate, as a WAV file.
        networks: a ZIP of each model's networks and their description.
        heard: the clip as the models heard it, at 16 kHz.
        resynthesised: each model's answer at 16 kHz.
        scores: of each answer against `heard`.
        n_written: numbers that each model wrote.
        n_shared: numbers of its networks that are the same for every clip.
        seconds: time of each stage, as in `Done`.
        device: what it was computed on, in words.
    """

    waves: Mapping[str, Path]
    networks: Mapping[str, Path]
    heard: Float[np.ndarray, " n"]
    resynthesised: Mapping[str, Float[np.ndarray, " n"]]
    scores: Mapping[str, SoundScores]
    n_written: Mapping[str, int]
    n_shared: Mapping[str, int]
    seconds: Mapping[str, float]
    device: str

    @property
    def duration_s(self) -> float:
        return len(self.heard) / SAMPLE_RATE_HZ


SoundUpdate = Status | Playlist | SoundResult


def stream_sound(
    pipeline: SoundPipeline, prepared: PreparedSound, *, folder: Path
) -> Iterator[SoundUpdate]:
    """Run the pipeline and hand on what the page needs, as soon as it is there.

    Closing the generator stops the work. Its last update is the `SoundResult`.

    Args:
        pipeline: the loaded models.
        prepared: the clip.
        folder: where files are written; it exists, and belongs to this one call.
    """
    show = _Show(pipeline, prepared, folder)
    yield show.playlist
    for event in pipeline.listen(prepared, SoundRequest()):
        match event:
            case Progress(fraction, message):
                yield Status(_WRITING * fraction, message)
            case Heard():
                yield show.add_heard(event)
            case Written(name, sound, _):
                show.written[name] = sound
            case Done():
                yield show.complete()
                yield Status(_WRITING, "measuring")
                yield show.finish(event)


class _Show:
    """What one request has collected so far."""

    def __init__(self, pipeline: SoundPipeline, prepared: PreparedSound, folder: Path):
        self.pipeline, self.prepared, self.folder = pipeline, prepared, folder
        original = Piece(0, self._save(prepared.own, "original"))
        self.playlist = Playlist(
            prepared.rate_hz, len(prepared.own), {ORIGINAL: (original,)}, complete=False
        )
        self.heard: dict[str, list[np.ndarray]] = {name: [] for name in pipeline.models}
        self.written: dict[str, WrittenSound] = {}

    def add_heard(self, event: Heard) -> Playlist:
        tracks = dict(self.playlist.tracks)
        for name, samples in event.samples.items():
            self.heard[name].append(samples)
            path = self._save(samples, f"{name}-{event.start:08d}")
            tracks[name] = (*tracks.get(name, ()), Piece(event.start, path))
        self.playlist = replace(self.playlist, tracks=tracks)
        return self.playlist

    def complete(self) -> Playlist:
        self.playlist = replace(self.playlist, complete=True)
        return self.playlist

    def finish(self, done: Done) -> SoundResult:
        heard = self.prepared.heard
        whole = {name: np.concatenate(parts) for name, parts in self.heard.items()}
        answers = {
            name: whole[name]
            if self.prepared.rate_hz == SAMPLE_RATE_HZ
            else _samples(written, rate_hz=SAMPLE_RATE_HZ)
            for name, written in self.written.items()
        }
        return SoundResult(
            waves={name: self._save(samples, name) for name, samples in whole.items()},
            networks={name: self._pack(name) for name in self.written},
            heard=heard,
            resynthesised=answers,
            scores={
                name: score_sound(answer, heard, rate_hz=SAMPLE_RATE_HZ)
                for name, answer in answers.items()
            },
            n_written={name: sound.inrs.n_written for name, sound in self.written.items()},
            n_shared={name: sound.inrs.n_shared for name, sound in self.written.items()},
            seconds=dict(done.seconds),
            device=done.device,
        )

    def _save(self, samples: Float[np.ndarray, " n"], name: str) -> Path:
        return save_wav(samples, self.folder / f"{name}.wav", rate_hz=self.prepared.rate_hz)

    def _pack(self, name: str) -> Path:
        provenance = origin(self.pipeline.models[name])
        exported = export_sound(self.written[name], provenance=provenance)
        path = self.folder / f"networks-{name}.zip"
        with zipfile.ZipFile(path, "w") as archive:  # deflating weights takes long and saves little
            archive.writestr(f"{name}.safetensors", exported.safetensors)
            archive.writestr(f"{name}.json", json.dumps(exported.description, indent=1) + "\n")
        return path


def waves_at(networks: Mapping[str, str | Path], *, rate_hz: int, folder: Path) -> dict[str, Path]:
    """Evaluate each model's networks at another rate; returns WAV files in the folder.

    Args:
        networks: the ZIP of each model, as in a `SoundResult`.
        rate_hz: any rate; 0 takes each clip's own.
        folder: where files are written; it exists, and belongs to this one call.

    Raises:
        ValueError: the rate is out of range, or a file is there no longer.
    """
    SoundRequest(rate_hz or None)  # checks it
    waves = {}
    for name, path in networks.items():
        if not Path(path).is_file():
            raise ValueError("these networks are no longer kept; press Resynthesise again")
        with zipfile.ZipFile(path) as archive:
            sound = load_sound(archive.read(f"{name}.safetensors"))
        rate = rate_hz or sound.rate_hz
        samples = _samples(sound, rate_hz=rate)
        waves[name] = save_wav(samples, folder / f"{name}-{rate}-hz.wav", rate_hz=rate)
    return waves


def save_wav(samples: Float[np.ndarray, " n"], path: Path, *, rate_hz: int) -> Path:
    """Write 16-bit samples, level as given, clipped at full scale; returns the path."""
    path.write_bytes(encode_wav(samples, rate_hz=rate_hz))
    return path


def _samples(written: WrittenSound, *, rate_hz: int) -> Float[np.ndarray, " n"]:
    return synthesise(written, rate_hz=rate_hz).cpu().numpy()
