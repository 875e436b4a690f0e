"""The sound tab's components, and what changes on them when a run starts and ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from hyperdemo.preprocess.sound import PreparedSound
from hyperdemo.ui.object.texts import FAILED, status_bar
from hyperdemo.ui.running import ending
from hyperdemo.ui.sound import texts
from hyperdemo.ui.sound.figures import difference_figure, spectrogram_figure
from hyperdemo.ui.sound.player import empty_value, player_value
from hyperdemo.ui.sound.stream import Playlist, SoundResult
from hyperdemo.ui.style import PENDING


@dataclass(frozen=True)
class SoundPage:
    """Components that events read or write; those in mappings stand once a model."""

    clip: gr.Audio
    words: gr.Markdown
    run: gr.Button
    stop: gr.Button
    player: gr.HTML
    status: gr.HTML
    scores: gr.Markdown
    results: gr.Column
    timings: gr.Markdown
    spectrograms: gr.Plot
    differences: gr.Plot
    rate: gr.Radio
    kept: gr.State  # paths of the ZIPs in Gradio's cache, to be asked at other rates
    waves: dict[str, gr.DownloadButton]
    networks: dict[str, gr.DownloadButton]
    wanted: gr.Textbox  # "run" where the page is to press the button by itself

    @property
    def labels(self) -> dict[str, str]:
        """Key and name of each track of the player."""
        return texts.tracks(list(self.networks))

    def run_outputs(self) -> list:
        """All that a run may change."""
        return [
            *(self.words, self.player, self.status),
            *(
                self.results,
                self.scores,
                self.timings,
                self.spectrograms,
                self.differences,
                self.rate,
                self.kept,
            ),
            *self.waves.values(),
            *self.networks.values(),
        ]

    def told(self, prepared: PreparedSound) -> dict:
        """What was taken of the file."""
        words = texts.clip_words(
            prepared.duration_s, prepared.rate_hz, prepared.channels_in_file,
            cut=prepared.truncated, quieter_db=prepared.quieter_db,
        )  # fmt: skip
        return {self.words: words}

    def changed(self) -> dict:
        """Another sound was given: nothing that belongs to the one before."""
        return self._cleared() | {
            self.words: "",
            self.status: "",
            self.stop: ending(),
            self.wanted: "",
        }

    def started(self) -> dict:
        """An empty stage for a new run."""
        return self._cleared() | {self.status: status_bar(0.0, "reading the sound")}

    def _cleared(self) -> dict:
        return {
            self.player: empty_value(self.labels),
            self.results: gr.Column(elem_classes=PENDING),
            self.rate: 0,
            self.kept: None,
        }

    def playing(self, playlist: Playlist, *, run: str, cached: Callable[[Path], str]) -> dict:
        """What can be heard so far."""
        return {self.player: player_value(playlist, self.labels, run=run, cached=cached)}

    def failed(self) -> dict:
        """After a run that ended in an error."""
        return {self.status: status_bar(0.0, FAILED)}

    def finished(
        self, result: SoundResult, *, total_s: float, cached: Callable[[Path], str]
    ) -> dict:
        """Everything that came out."""
        heard, answers, labels = result.heard, result.resynthesised, self.labels
        kept = {name: cached(path) for name, path in result.networks.items()}
        shown = {
            self.status: status_bar(1.0, f"done in {total_s:.1f} s on {result.device}"),
            self.scores: texts.scores_table(result.scores),
            self.results: gr.Column(elem_classes=[]),
            self.timings: texts.timings_table(
                result.seconds,
                duration_s=result.duration_s,
                n_written=result.n_written,
                n_shared=result.n_shared,
                n_bytes={name: path.stat().st_size for name, path in result.networks.items()},
            ),
            self.spectrograms: spectrogram_figure(heard, answers, labels=labels),
            self.differences: difference_figure(heard, answers, labels=labels),
            self.kept: kept,
        }
        for name, path in kept.items():
            shown[self.networks[name]] = gr.DownloadButton(value=path, interactive=True)
        return shown | self.offered({name: cached(path) for name, path in result.waves.items()})

    def offered(self, waves: dict[str, str]) -> dict:
        """WAV files to be downloaded."""
        return {
            self.waves[name]: gr.DownloadButton(value=path, interactive=True)
            for name, path in waves.items()
        }

    def evaluating(self) -> dict:
        """No downloads while another rate is computed."""
        return {button: gr.DownloadButton(interactive=False) for button in self.waves.values()}
