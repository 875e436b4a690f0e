"""What the page's events call. Each is thin: the work is done in the pipeline and in `stream`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from hyperdemo.config import ViewRequest
from hyperdemo.events import Compared
from hyperdemo.examples import HeldOut, digest_of, example_name, recognise
from hyperdemo.media import decode_image
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.preprocess import OTHERS, Prepared
from hyperdemo.preprocess.saliency import load_saliency
from hyperdemo.ui.errors import in_plain_words, streamed_in_plain_words
from hyperdemo.ui.object import texts
from hyperdemo.ui.object.answers import KeptAnswers
from hyperdemo.ui.object.cuts import Cut, HeldCuts
from hyperdemo.ui.object.outline import corrected_mask, editor_value
from hyperdemo.ui.object.page import Page
from hyperdemo.ui.object.stream import Chunk, Result, Sharpened, Status, Update, stream_views

FPS = 24
SHARPEN_STEPS = 40
OPENING = "kator-legaz-vw-new-beetle"
"""The example that turns when the page opens."""
SETTINGS: dict[str, int] = {"size": 256, "seconds": 4, "elevation_deg": 20}
"""What a visitor finds set, and what examples are kept at."""


class Callbacks:
    """Holds the loaded models and the page's components, and of visitors what `HeldCuts` bounds."""

    def __init__(
        self,
        pipeline: ViewPipeline,
        page: Page,
        *,
        held_out: Sequence[HeldOut],
        photographs: Sequence[Path] = (),
        cuts: HeldCuts | None = None,
    ):
        self.pipeline, self.page, self.held_out = pipeline, page, tuple(held_out)
        self.cuts = cuts or HeldCuts()
        pictures = [*photographs, *(one.picture for one in held_out)]
        self.examples = {example_name(path): path for path in pictures}
        self.answers: KeptAnswers[Result] = KeptAnswers(frozenset(map(digest_of, pictures)))

    def open_page(self, request: gr.Request) -> dict:
        """The example that the address names, or else the one that the page opens with."""
        asked = request.query_params.get("example")
        name = asked if asked in self.examples else OPENING
        path = self.examples.get(name)
        shown = {} if path is None else self.show_example(str(path))
        if path is None or (name != asked and self.page.viewer not in shown):
            return {self.page.status: ""}  # nobody waits for what nobody asked for
        return {self.page.picture: str(path), **shown}

    @in_plain_words
    def show_example(self, picture: str | None) -> dict:
        """What is kept of an example; where nothing is, the page presses Generate by itself."""
        if picture is None:
            return {self.page.wanted: ""}
        digest = digest_of(picture)
        result = self.answers.find(digest)
        if result is None:
            # Another text each time, or the page would not notice.
            return {self.page.wanted: f"run {time.monotonic_ns()}"}
        shown = self._shown(result, recognise(digest, self.held_out))
        made = texts.kept_bar(sum(result.seconds.values()), result.device)
        return shown | {self.page.status: made, self.page.wanted: ""}

    def warm_up(self) -> None:
        """Answer the example that the page opens with: no visitor waits for it, nor for what is
        loaded or compiled on the way."""
        load_saliency()
        path = self.examples.get(OPENING)
        if path is None:
            return self.pipeline.warm_up()
        for _ in self.generate(str(path), None, **SETTINGS, ticket=None):
            pass

    @in_plain_words
    def find_object(self, picture: str | None, ticket: str | None = None) -> dict:
        """Find the object in a picture; returns the outline, what the models see, and words.

        Args:
            picture: the picture's file.
        """
        page = self.page
        self.cuts.drop(ticket)  # of the picture before
        if picture is None:
            return {page.cut: None, page.editor: None, page.framed: None, page.words: ""}
        return self._outlined(self._cut(picture, None))

    @in_plain_words
    def choose_outline(self, picture: str | None, ticket: str | None, other: str | None) -> dict:
        """Take another outline of the same picture, without strokes; as `find_object`.

        Args:
            picture: the picture's file.
            other: which, as in `preprocess.OTHERS`; None for the one that is found by itself.
        """
        if picture is None:
            return gr.skip()
        cut = self._cut(picture, ticket)
        cut = replace(cut, found=self.pipeline.prepare(cut.rgba, other=other))
        self.cuts.drop(ticket)
        return self._outlined(cut)

    def _outlined(self, cut: Cut) -> dict:
        page, known = self.page, recognise(cut.digest, self.held_out)
        return {
            page.cut: self.cuts.hold(cut),
            page.editor: editor_value(cut),
            page.framed: cut.found.framed,
            page.words: texts.mask_words(cut.found.mask_source, known and known.name),
        }

    @in_plain_words
    def correct_object(
        self, picture: str | None, editor: Mapping[str, Any] | None, ticket: str | None
    ) -> tuple[np.ndarray | None, str]:
        """Take a visitor's brush strokes; returns what the models see now, and words.

        Args:
            picture: the picture's file.
            editor: the strokes, as the image editor gives them.
        """
        if picture is None:
            return None, ""
        prepared = self.prepared(picture, editor, ticket)
        return prepared.framed, texts.mask_words(prepared.mask_source)

    @streamed_in_plain_words
    def generate(
        self,
        picture: str | None,
        editor: Mapping[str, Any] | None,
        size: int,
        seconds: int | float,
        elevation_deg: int | float,
        ticket: str | None,
        sharpen: bool = False,
    ) -> Iterator[dict]:
        """Generate both networks for a picture and stream their orbits, then meshes and downloads.

        Args:
            picture: the picture's file.
            editor: strokes on the outline, as the image editor gives them; may be empty.
            size: side of a panel in pixels.
            seconds: length of one turn.
            elevation_deg: height of the camera above the horizon in degrees.
            sharpen: fine-tune both networks on the picture first, which takes some seconds.
        """
        settings = {"size": size, "seconds": seconds, "elevation_deg": elevation_deg}
        try:
            yield from self._run(picture, editor, settings, ticket, sharpen=sharpen)
        except Exception:
            yield self.page.failed()
            raise

    def _run(
        self,
        picture: str | None,
        editor: Mapping[str, Any] | None,
        settings: Mapping[str, int | float],
        ticket: str | None,
        *,
        sharpen: bool,
    ) -> Iterator[dict]:
        cut = self._cut(picture, ticket)
        held_out = recognise(cut.digest, self.held_out)
        request = ViewRequest(
            size=int(settings["size"]),
            n_frames=round(settings["seconds"] * FPS),
            fps=FPS,
            elevation_deg=float(settings["elevation_deg"]),
            chunk_frames=max(1, FPS // 2),
            pose_size=None if held_out is None else held_out.truth.shape[1],
            refine_steps=SHARPEN_STEPS if sharpen else 0,
            refine_shown=sharpen,
        )
        prepared = self._prepared(cut, editor)
        by_itself = prepared is cut.found and prepared.mask_source not in OTHERS
        kept = settings == SETTINGS and not sharpen and by_itself
        yield self.page.started(sharpen=sharpen)
        with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
            for update in stream_views(
                self.pipeline, prepared, request, folder=Path(folder), held_out=held_out
            ):
                if kept and isinstance(update, Result):
                    self.answers.keep(cut.digest, update)
                yield self._shown(update, held_out)

    def _shown(self, update: Update, held_out: HeldOut | None) -> dict:
        page = self.page
        # Values hold the files' names alone, so they are not copied by themselves.
        cached = page.viewer.move_resource_to_block_cache
        match update:
            case Status(fraction, message):
                return {page.status: texts.status_bar(fraction, message)}
            case Chunk(path):
                return {page.stream: str(path)}
            case Compared():
                return {page.known: texts.nearest_known(update)}
            case Sharpened(steps):
                return page.sharpened(steps, held_out, cached=cached)
            case Result():
                return page.finished(update, held_out, cached=cached)

    def _cut(self, picture: str | None, ticket: str | None) -> Cut:
        """The picture and its outline; the one that is held if it is of this picture.

        Raises:
            ValueError: no picture, one that cannot be used, or one whose file is gone by now.
        """
        held = self.cuts.find(ticket)
        if held is not None and held.path == picture:
            return held
        if picture is not None and not Path(picture).is_file():
            raise ValueError(texts.GONE)
        rgba = decode_image(picture)
        return Cut(str(picture), digest_of(picture), rgba, self.pipeline.prepare(rgba))

    def prepared(
        self, picture: str | None, editor: Mapping[str, Any] | None, ticket: str | None
    ) -> Prepared:
        """What the models see of a picture with a visitor's strokes; arguments as in `generate`.

        Raises:
            ValueError: no picture, one that cannot be used, or one whose file is gone by now.
        """
        return self._prepared(self._cut(picture, ticket), editor)

    def _prepared(self, cut: Cut, editor: Mapping[str, Any] | None) -> Prepared:
        mask = corrected_mask(cut, editor)
        return cut.found if mask is None else self.pipeline.prepare(cut.rgba, mask=mask)
