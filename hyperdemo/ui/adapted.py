"""What this page does otherwise than Gradio, all of it here: two methods of two components.

They are replaced on the instance. A subclass would do it in plainer words, but to define one makes
Gradio write a stub file beside the module, and importing a module here does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData, MediaStreamChunk

from hyperdemo.media import ts_duration_s


def picture_file(**options: Any) -> gr.Image:
    """An image input that hands on the path of the file as it came.

    Gradio would open it first, fail on what is no picture, and word that in its own way.
    """
    image = gr.Image(type="filepath", image_mode=None, **options)
    decode_inline = image.preprocess

    def path_of(payload: ImageData | None) -> str | None:
        if payload is None or payload.path is None:
            return decode_inline(payload)  # nothing, or a picture inside a data: URL
        return payload.path

    return _with(image, "preprocess", path_of)


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
