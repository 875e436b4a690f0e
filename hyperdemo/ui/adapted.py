"""What this page does otherwise than Gradio, all of it here.

For a session that updates a component, as a click on an example does, Gradio makes it anew from its
class. A method replaced on the instance would be lost then, so inputs are subclasses. They are
defined in functions: beside a module that defines one Gradio writes a stub file (`adapted.pyi`),
and importing a module here does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from cachetools import TTLCache
from gradio.blocks import BlocksConfig
from gradio.components.base import server
from gradio.components.image_editor import EditorData, EditorDataBlobs
from gradio.data_classes import DataWithFiles, FileData, ImageData, MediaStreamChunk

from hyperdemo.media import decode_image
from hyperdemo.media.video import ts_duration_s
from hyperdemo.ui.errors import as_sentence
from hyperdemo.ui.uploads import from_data_url, uploaded

MAX_LAYERS = 8
MAX_LAYER_BYTES, MAX_LAYER_AGE_S = 64 * 2**20, 600
"""Of strokes that browsers have sent and not asked for yet, those of all visitors together."""


def picture_file(**options: Any) -> gr.Image:
    """An image input that hands on the path of the file as it came, if it was uploaded.

    Gradio would open it first, fail on what is no picture or is gone by now, and word that in its
    own way; a `data:` URL it would decode by any format.
    """

    class PictureFile(gr.Image):
        is_template = True  # the browser shows it as what it derives from

        def preprocess(self, payload: ImageData | None) -> str | None:
            if payload is None:
                return None
            if payload.path is not None:
                return str(_checked(payload.path))
            try:
                return str(from_data_url(payload.url or ""))
            except ValueError as error:
                raise gr.Error(as_sentence(str(error)), print_exception=False) from None

    return PictureFile(type="filepath", image_mode=None, **options)


def sound_file(**options: Any) -> gr.Audio:
    """An audio input that hands on the path of the file as it came, if it was uploaded."""

    class SoundFile(gr.Audio):
        is_template = True

        def preprocess(self, payload: FileData | None) -> str | None:
            return None if payload is None else str(_checked(payload.path))

    # No format: Gradio would write the file anew, and fail first on what is no sound.
    return SoundFile(type="filepath", **options)


def stroke_editor(*, gone: str, **options: Any) -> gr.ImageEditor:
    """An image editor that hands on its layers alone, as arrays of RGBA.

    Gradio would open the background too, whose file may be gone while the page still shows it, and
    would open layers in any format and of any size, and keep without end what a browser sends of
    them.

    Args:
        gone: what is said where the file of a layer is gone.
    """
    sent: TTLCache = TTLCache(MAX_LAYER_BYTES, MAX_LAYER_AGE_S, getsizeof=_n_bytes)
    lock = threading.Lock()

    class StrokeEditor(gr.ImageEditor):
        is_template = True
        blob_storage = property(lambda self: sent, lambda self, value: None)

        @server
        def accept_blobs(self, data: DataWithFiles) -> None:
            index = data.data["index"]
            if index not in (None, "", "null") and not 0 <= int(index) < MAX_LAYERS:
                raise gr.Error(f"Expected at most {MAX_LAYERS} layers.", print_exception=False)
            with lock:
                super().accept_blobs(data)

        def preprocess(self, payload: EditorData | None) -> dict[str, Any] | None:
            if payload is None:
                return None
            if payload.id is None:
                files = [_checked(layer.path) for layer in payload.layers]
                if not all(file.is_file() for file in files):
                    raise gr.Error(gone, print_exception=False)
            else:
                with lock:
                    blobs = sent.pop(payload.id, None)
                files = [layer for layer in blobs.layers if layer] if blobs else []
            try:
                layers = [decode_image(file) for file in files]
            except ValueError as error:
                raise gr.Error(as_sentence(str(error)), print_exception=False) from error
            return {"background": None, "layers": layers, "composite": None}

    return StrokeEditor(type="numpy", **options)


def _checked(path: str) -> Path:
    try:
        return uploaded(path)
    except ValueError as error:
        raise gr.Error(as_sentence(str(error)), print_exception=False) from None


def _n_bytes(blobs: EditorDataBlobs) -> int:
    return sum(map(len, filter(None, [blobs.background, *blobs.layers, blobs.composite])))


def light_sessions(demo: gr.Blocks) -> None:
    """Keep no description of every component for each session of a page.

    Gradio needs it for links of its own to a session's state, which this page refuses. With 300
    components it takes 40 ms of the server's one loop and half a megabyte: a class that comes all
    at once would keep everybody else waiting for seconds.
    """

    class OfSessions(BlocksConfig):
        def __copy__(self) -> BlocksConfig:
            return _with(super().__copy__(), "config_for_block", lambda *block: {})

    demo.default_config.__class__ = OfSessions


def chunked_video(**options: Any) -> gr.Video:
    """A streaming video that takes the paths of chunks made by `hyperdemo.media.save_ts`.

    Gradio would start an ffprobe and an ffmpeg for each chunk, half a second on a busy machine, to
    learn its length and to mux it anew. Its length is known, and it joins the one before as it is.
    """
    return _with(gr.Video(streaming=True, **options), "stream_output", _chunk_as_it_is)


async def _chunk_as_it_is(
    value: str | Path | None, output_id: str, first_chunk: bool
) -> tuple[MediaStreamChunk | None, dict[str, Any]]:
    """What `gr.Video.stream_output` returns: the next chunk, and where the whole is to be found."""
    whole = {
        "path": output_id,
        "is_stream": True,
        "orig_name": "video-stream.mp4",
        "meta": {"_type": "gradio.FileData"},
    }
    if value is None:
        return None, whole
    data = Path(value).read_bytes()
    return {"data": data, "duration": ts_duration_s(data), "extension": ".ts"}, whole


def _with(component: Any, name: str, method: Callable) -> Any:
    if not callable(getattr(component, name, None)):
        raise TypeError(f"{type(component).__name__} of this Gradio has no method {name}")
    setattr(component, name, method)
    return component
