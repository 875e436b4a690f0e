"""The video that shows the orbit while it is being rendered: chunks go out as they were encoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import MediaStreamChunk

from hyperdemo.media import ts_duration_s


def orbit_stream() -> gr.Video:
    """A video that takes the paths of chunks made by `hyperdemo.media.save_ts`.

    Gradio would start an ffprobe and an ffmpeg for each chunk, half a second on a busy machine, to
    learn its length and to mux it anew. Its length is known, and it joins the one before as it is.
    """
    video = gr.Video(
        streaming=True, autoplay=True, visible=False, show_label=False, buttons=[],
        elem_id="stream", elem_classes="orbit",
    )  # fmt: skip
    video.stream_output = _chunk_as_it_is
    return video


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
