"""Frames to H.264, in this process, without a temporary file per frame or an ffmpeg command.

`encode_mp4` writes a file from frames, `join_ts` one from the chunks of a stream, without encoding
them again. `encode_ts` makes one chunk of a stream:
MPEG-TS that starts with a keyframe (parameter sets included) on a 90 kHz clock derived from
the number of the chunk's first frame, so that chunks made independently join without a gap.
There are no B-frames, hence decoding and presentation times agree and no chunk leans on
its neighbour.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace
from jaxtyping import UInt8

DEFAULT_CRF = 18  # x264's constant rate factor: 0 lossless, 23 its default, 51 worst
MAX_SIDE = 4096  # H.264 level 5.1, the most that browsers decode everywhere
# x264 follows the order of the frames, so one thread makes the bytes the same everywhere; at
# these sizes it is far faster than the rendering.
_THREADS = 1
# Players tell MPEG-TS by a run of its 188-byte packets; a chunk of a few still frames is too
# short a run, so it is filled up with null packets, which every player skips.
_TS_NULL_PACKET = b"\x47\x1f\xff\x10" + b"\xff" * 184
_TS_MIN_PACKETS = 32
# BT.601 limited range, written out: it is also what players assume of small untagged video.
_SMPTE170M = 6
_LIMITED_RANGE = 1

Frame = UInt8[np.ndarray, "h w 3"]


def encode_mp4(
    frames: Iterable[Frame], path: str | Path, *, fps: int | Fraction, crf: int = DEFAULT_CRF
) -> Path:
    """Write an MP4 (H.264, yuv420p, index in front) that browsers play while it loads.

    Args:
        frames: uint8 RGB [h, w, 3], all of one even height and width; consumed once.
        path: where to write; an unfinished file is removed when anything goes wrong.
        fps: frames a second.
        crf: 0 (lossless) to 51; 18 looks lossless.

    Raises:
        ValueError: no frames, frames that are not uint8 RGB of one even size, or `fps` or
            `crf` out of range.
    """
    with Mp4Writer(path, fps=fps, crf=crf) as writer:
        writer.write(frames)
    return Path(path)


class Mp4Writer:
    """An MP4 as of `encode_mp4` whose frames come in parts; nothing but the encoder's is kept.

    As a context manager it ends the file, or removes it when anything went wrong.

    Args:
        path: where to write.
        fps, crf: as for `encode_mp4`.

    Raises:
        ValueError: `fps` or `crf` out of range; on writing, frames that do not fit; at the end,
            no frame came.
    """

    def __init__(self, path: str | Path, *, fps: int | Fraction, crf: int = DEFAULT_CRF):
        _check_rates(fps, crf)
        self.path, self._fps, self._crf = Path(path), fps, crf
        self._file: av.container.OutputContainer | None = None
        self._stream = None
        self._shape: tuple[int, ...] = ()
        self._n = 0

    def write(self, frames: Iterable[Frame]) -> None:
        """Encode further frames."""
        for frame in frames:
            if self._stream is None:
                _check_first(frame)
                options = {"movflags": "+faststart"}
                self._file = av.open(str(self.path), "w", format="mp4", options=options)
                self._stream = _open_stream(
                    self._file, frame.shape, fps=self._fps, crf=self._crf, chunk=False
                )
                self._shape = frame.shape
            _check_like(frame, self._shape)
            _mux(self._file, self._stream, frame, fps=self._fps, number=self._n)
            self._n += 1

    def close(self) -> None:
        """End the file."""
        if self._stream is None:
            raise ValueError("expected at least one frame to encode, got none")
        self._file.mux(self._stream.encode(None))
        self._file.close()

    def discard(self) -> None:
        """Remove the unfinished file."""
        if self._file is not None:
            self._file.close()
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Mp4Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            try:
                self.close()
                return
            except BaseException:
                self.discard()
                raise
        self.discard()


def encode_ts(
    frames: Iterable[Frame], *, fps: int | Fraction, start_frame: int, crf: int = DEFAULT_CRF
) -> bytes:
    """One chunk of a stream as MPEG-TS (H.264, yuv420p).

    Frame i of the chunk is shown at (start_frame + i) / fps seconds. Chunks of one stream
    must share size, `fps` and `crf`.

    Args:
        frames: uint8 RGB [h, w, 3], all of one even height and width; consumed once.
        fps: frames a second.
        start_frame: how many frames of the stream came before this chunk.
        crf: 0 (lossless) to 51; 18 looks lossless.

    Raises:
        ValueError: as for `encode_mp4`, or a negative `start_frame`.
    """
    if start_frame < 0:
        raise ValueError(f"expected start_frame of 0 or more, got {start_frame}")
    _check_rates(fps, crf)
    iterator = iter(frames)
    first = next(iterator, None)
    if first is None:
        raise ValueError("expected at least one frame to encode, got none")
    _check_first(first)
    buffer = io.BytesIO()
    # Without copyts and a zero delay the muxer would shift every chunk by its buffer delay.
    options = {"mpegts_copyts": "1", "max_delay": "0"}
    with av.open(buffer, "w", format="mpegts", options=options) as file:
        stream = _open_stream(file, first.shape, fps=fps, crf=crf, chunk=True)
        for index, frame in enumerate(chain([first], iterator)):
            _check_like(frame, first.shape)
            _mux(file, stream, frame, fps=fps, number=start_frame + index)
        file.mux(stream.encode(None))
    data = buffer.getvalue()
    n_missing = _TS_MIN_PACKETS - len(data) // len(_TS_NULL_PACKET)
    return data + _TS_NULL_PACKET * max(0, n_missing)


def save_ts(
    frames: Iterable[Frame],
    path: str | Path,
    *,
    fps: int | Fraction,
    start_frame: int,
    crf: int = DEFAULT_CRF,
) -> Path:
    """Write `encode_ts(...)` to `path` (its name must end in .ts) and return the path."""
    path = Path(path)
    if path.suffix != ".ts":
        raise ValueError(f"expected a file name that ends in .ts, got {path.name!r}")
    path.write_bytes(encode_ts(frames, fps=fps, start_frame=start_frame, crf=crf))
    return path


def join_ts(chunks: Iterable[bytes], path: str | Path, *, fps: int | Fraction) -> Path:
    """Write the chunks of one stream as one MP4 (index in front), picture for picture as they are.

    Args:
        chunks: what `encode_ts` made, all of them and in their order.
        path: where to write; an unfinished file is removed when anything goes wrong.
        fps: frames a second, as the chunks were made with.

    Raises:
        ValueError: no chunks, or bytes that are no such chunk.
    """
    path, rate = Path(path), Fraction(fps)
    stream = None
    number = 0
    try:
        with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
            for chunk in chunks:
                with av.open(io.BytesIO(chunk), format="mpegts") as part:
                    source = part.streams.video[0]
                    stream = stream or file.add_stream_from_template(source)
                    for packet in part.demux(source):
                        if packet.dts is None:
                            continue  # the demuxer's sign that there are no more
                        # There are no B-frames, so packets come in the order of the pictures.
                        packet.stream, packet.time_base = stream, 1 / rate
                        packet.pts = packet.dts = number
                        packet.duration = 1
                        file.mux(packet)
                        number += 1
            if stream is None:
                raise ValueError("expected at least one chunk to join, got none")
    except (av.FFmpegError, IndexError) as error:
        path.unlink(missing_ok=True)
        raise ValueError(f"expected chunks made by encode_ts: {error}") from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def ts_duration_s(chunk: bytes) -> float:
    """How long a chunk of a stream plays, in seconds.

    Raises:
        ValueError: bytes that `encode_ts` did not make.
    """
    try:
        with av.open(io.BytesIO(chunk), format="mpegts") as part:
            packets = [packet for packet in part.demux(video=0) if packet.pts is not None]
            return float(sum(packet.duration * packet.time_base for packet in packets))
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(f"expected a chunk made by encode_ts: {error}") from error


def _open_stream(
    file: av.container.OutputContainer,
    shape: tuple[int, ...],
    *,
    fps: int | Fraction,
    crf: int,
    chunk: bool,
) -> av.VideoStream:
    rate = Fraction(fps)
    # A chunk is one group of pictures; a whole file gets a keyframe every second, for seeking.
    keyframe_interval = 2**20 if chunk else max(1, round(rate))
    stream = file.add_stream("libx264", rate=rate)
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.time_base = 1 / rate
    stream.options = {
        "crf": str(crf),
        "preset": "veryfast",
        "x264-params": f"bframes=0:scenecut=0:keyint={keyframe_interval}",
    }
    context = stream.codec_context
    context.thread_count = _THREADS
    context.color_range = _LIMITED_RANGE
    context.colorspace = context.color_primaries = context.color_trc = _SMPTE170M
    return stream


def _mux(
    file: av.container.OutputContainer,
    stream: av.VideoStream,
    pixels: Frame,
    *,
    fps: int | Fraction,
    number: int,
) -> None:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
    frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.SMPTE170M, threads=1)
    frame.pts = number
    frame.time_base = 1 / Fraction(fps)
    file.mux(stream.encode(frame))


def _check_rates(fps: int | Fraction, crf: int) -> None:
    if not 0 < fps <= 240:
        raise ValueError(f"expected 0 < fps <= 240, got {fps}")
    if not 0 <= crf <= 51:
        raise ValueError(f"expected crf from 0 (lossless) to 51, got {crf}")


def _check_first(frame: Frame) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(
            "expected frames of uint8 RGB, shape [h, w, 3], "
            f"got {frame.dtype} of shape {list(frame.shape)}"
        )
    height, width = frame.shape[:2]
    if height % 2 or width % 2 or not 16 <= min(height, width) <= max(height, width) <= MAX_SIDE:
        raise ValueError(
            "expected frames of even height and width (H.264 halves the colour), 16 to "
            f"{MAX_SIDE} pixels a side, got {height} x {width}; render at another size"
        )


def _check_like(frame: Frame, shape: tuple[int, ...]) -> None:
    if frame.shape != shape or frame.dtype != np.uint8:
        raise ValueError(
            f"expected every frame like the first (uint8 {list(shape)}), "
            f"got {frame.dtype} {list(frame.shape)}"
        )
