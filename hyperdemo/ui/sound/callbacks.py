"""What the sound tab's events call. Each is thin: the work is in the pipeline and the stream."""

from __future__ import annotations

import functools
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hyperdemo.examples import digest_of
from hyperdemo.media.audio import decode_audio
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.preprocess.sound import prepare_sound
from hyperdemo.ui.errors import in_plain_words, streamed_in_plain_words
from hyperdemo.ui.object.answers import KeptAnswers
from hyperdemo.ui.object.stream import Status
from hyperdemo.ui.object.texts import kept_bar, status_bar
from hyperdemo.ui.sound.page import SoundPage
from hyperdemo.ui.sound.stream import Playlist, SoundResult, stream_sound, waves_at


@dataclass(frozen=True)
class Answer:
    """What came out for an example: what is told of the clip, heard and shown, and its time."""

    words: str
    playlist: Playlist
    result: SoundResult
    total_s: float


class SoundCallbacks:
    """Holds the loaded models, the tab's components and answers to examples, and nothing of any
    visitor."""

    def __init__(self, pipeline: SoundPipeline, page: SoundPage, *, sounds: Sequence[Path] = ()):
        self.pipeline, self.page = pipeline, page
        self.answers: KeptAnswers[Answer] = KeptAnswers(frozenset(map(digest_of, sounds)))

    @in_plain_words
    def show_example(self, clip: str | None) -> dict:
        """What is kept of an example; where nothing is, the page presses the button by itself."""
        page = self.page
        kept = None if clip is None else self.answers.find(digest_of(clip))
        if kept is None:
            # Another text each time, or the page would not notice.
            return {page.wanted: f"run {time.monotonic_ns()}" if clip else ""}
        run, seconds = uuid.uuid4().hex, kept.total_s
        return (
            {page.words: kept.words, page.wanted: "", page.rate: 0}
            | page.playing(kept.playlist, run=run, cached=self._cached)
            | page.finished(kept.result, total_s=seconds, cached=self._cached)
            | {page.status: kept_bar(seconds, kept.result.device)}
        )

    @streamed_in_plain_words
    def resynthesise(self, clip: str | None) -> Iterator[dict]:
        """Write the networks of a sound with both models, and stream what they sound like.

        Then come scores against the clip, spectrograms, WAV files and the networks themselves.

        Args:
            clip: the sound's file, of which the first 60 s are used.
        """
        try:
            yield from self._run(clip)
        except Exception:
            yield self.page.failed()
            raise

    def _run(self, clip: str | None) -> Iterator[dict]:
        began = time.perf_counter()
        prepared = prepare_sound(decode_audio(clip))
        told, digest = self.page.told(prepared), digest_of(clip)
        yield self.page.started() | told
        run = uuid.uuid4().hex
        # A playlist names all pieces so far, and to find a file in the cache means to hash it.
        cached = functools.cache(self._cached)
        with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
            for update in stream_sound(self.pipeline, prepared, folder=Path(folder)):
                match update:
                    case Status(fraction, message):
                        yield {self.page.status: status_bar(fraction, message)}
                    case Playlist():
                        playlist = update
                        yield self.page.playing(update, run=run, cached=cached)
                    case SoundResult():
                        # Told again, for a caller of the API gets the last update alone.
                        total_s = time.perf_counter() - began
                        answer = Answer(told[self.page.words], playlist, update, total_s)
                        self.answers.keep(digest, answer)
                        yield told | self.page.finished(update, total_s=total_s, cached=cached)

    @streamed_in_plain_words
    def evaluate(self, rate_hz: int, kept: Mapping[str, str] | None) -> Iterator[dict]:
        """Evaluate the networks of the last run at another rate; returns their WAV files.

        Args:
            rate_hz: samples a second; 0 takes the clip's own.
        """
        if kept is None:
            raise ValueError("expected networks, got none yet; press Resynthesise first")
        yield self.page.evaluating()
        with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
            waves = waves_at(kept, rate_hz=int(rate_hz), folder=Path(folder))
            yield self.page.offered({name: self._cached(path) for name, path in waves.items()})

    def _cached(self, path: Path) -> str:
        """Copy a file to Gradio's cache; returns its path there."""
        return str(self.page.player.move_resource_to_block_cache(path))
