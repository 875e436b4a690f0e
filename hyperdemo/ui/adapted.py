"""What this page does otherwise than Gradio, all of it here.

For a session that updates a component, as a click on an example does, Gradio makes it anew from its
class. A method replaced on the instance would be lost then, so inputs are subclasses. They are
defined in functions: beside a module that defines one Gradio writes a stub file (`adapted.pyi`),
and importing a module here does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components.image_editor import EditorData
from gradio.data_classes import ImageData, MediaStreamChunk

from hyperdemo.media.video import ts_duration_s
from hyperdemo.ui.errors import as_sentence
from hyperdemo.ui.uploads import from_data_url, uploaded


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
            try:
                if payload.path is None:
                    return str(from_data_url(payload.url or ""))
                return str(uploaded(payload.path))
            except ValueError as error:
                raise gr.Error(as_sentence(str(error)), print_exception=False) from None

    return PictureFile(type="filepath", image_mode=None, **options)


def stroke_editor(*, gone: str, **options: Any) -> gr.ImageEditor:
    """An image editor that hands on its layers alone.

    Gradio would open the background too, whose file may be gone while the page still shows it.

    Args:
        gone: what is said where the file of a layer is gone.
    """

    class StrokeEditor(gr.ImageEditor):
        is_template = True

        def preprocess(self, payload: EditorData | None) -> dict[str, Any] | None:
            if payload is not None and payload.id is None:
                if not all(Path(layer.path).is_file() for layer in payload.layers):
                    raise gr.Error(gone, print_exception=False)
                payload = EditorData(layers=payload.layers)
            return super().preprocess(payload)

    return StrokeEditor(type="numpy", **options)


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
