"""Chunks and files are decoded again, and compared with what went in."""

import io
import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from hyperdemo.media.video import encode_mp4, encode_ts, join_ts, save_ts, ts_duration_s


def moving_disc(n_frames, *, height=96, width=128, start=0):
    y, x = np.mgrid[:height, :width] / height
    shade = np.stack([255 - 60 * x, 255 - 40 * y, 235 + 0 * x], axis=-1)
    frames = []
    for i in range(start, start + n_frames):
        inside = (x - 0.6 - 0.3 * np.cos(i / 9)) ** 2 + (y - 0.5 - 0.2 * np.sin(i / 9)) ** 2 < 0.04
        frames.append(np.where(inside[..., None], [200, 60, 30], shade).astype(np.uint8))
    return frames


def decode(source):
    with av.open(source) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        frames = list(container.decode(stream))
        assert {frame.format.name for frame in frames} == {"yuv420p"}
        times = [frame.pts * frame.time_base for frame in frames]
        return [frame.to_ndarray(format="rgb24") for frame in frames], times


def psnr_db(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2))


@pytest.mark.parametrize("fps", [24, 25, 30, Fraction(30000, 1001)])
def test_ts_chunks_join_without_a_gap(fps):
    lengths = [24, 24, 7, 1]
    frames = moving_disc(sum(lengths))
    chunks, start = [], 0
    for length in lengths:
        chunk = encode_ts(iter(frames[start : start + length]), fps=fps, start_frame=start)
        _, times = decode(io.BytesIO(chunk))
        assert times[0] == pytest.approx(float(start / Fraction(fps)), abs=1e-5)
        chunks.append(chunk)
        start += length
    decoded, times = decode(io.BytesIO(b"".join(chunks)))
    assert len(decoded) == len(frames)
    steps = np.diff([float(t) for t in times])
    # The clock of MPEG-TS ticks at 90 kHz: one tick of rounding, no more, and never a gap.
    np.testing.assert_allclose(steps, float(1 / Fraction(fps)), atol=1.01 / 90_000)
    assert min(psnr_db(a, b) for a, b in zip(decoded, frames, strict=True)) > 30


def test_each_ts_chunk_begins_with_its_only_keyframe_and_is_whole_packets():
    chunk = encode_ts(moving_disc(60), fps=24, start_frame=48)
    assert len(chunk) % 188 == 0 and set(chunk[::188]) == {0x47}
    with av.open(io.BytesIO(chunk)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.pts is not None]
    assert [packet.is_keyframe for packet in packets] == [True] + [False] * 59
    assert all(packet.pts == packet.dts for packet in packets)
    # Parameter sets travel inside the chunk: a player may start at any of them.
    nal_types = {bytes(packets[0])[i + 3] & 31 for i in _start_codes(bytes(packets[0]))}
    assert {5, 7, 8} <= nal_types


def _start_codes(data):
    return [i for i in range(len(data) - 3) if data[i : i + 3] == b"\x00\x00\x01"]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 5])
def test_short_still_chunks_are_recognised(n_frames):
    white = np.full((64, 64, 3), 255, np.uint8)
    decoded, _ = decode(io.BytesIO(encode_ts([white] * n_frames, fps=24, start_frame=0)))
    assert len(decoded) == n_frames
    assert min(frame.min() for frame in decoded) >= 254  # white stays white


@pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe on the PATH")
def test_ffprobe_reads_the_duration_that_gradio_puts_into_the_playlist(tmp_path):
    path = save_ts(moving_disc(24), tmp_path / "a chunk.ts", fps=24, start_frame=24)
    command = ["ffprobe", "-v", "error", "-select_streams", "v", "-of", "default=nw=1:nk=1"]
    command += ["-show_entries", "stream=start_time,duration", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert [float(value) for value in shown[:2]] == [1.0, 1.0]


def test_mp4_round_trip(tmp_path):
    frames = moving_disc(30)
    path = encode_mp4(iter(frames), tmp_path / "turn table.mp4", fps=24)
    decoded, times = decode(str(path))
    assert len(decoded) == 30
    np.testing.assert_allclose([float(t) for t in times], np.arange(30) / 24, atol=1e-4)
    assert min(psnr_db(a, b) for a, b in zip(decoded, frames, strict=True)) > 30
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # faststart


def test_encoding_is_deterministic():
    frames = moving_disc(5)
    once, again = (encode_ts(frames, fps=24, start_frame=0) for _ in range(2))
    assert once == again


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([], "at least one frame"),
        ([np.zeros((63, 64, 3), np.uint8)], "even height and width"),
        ([np.zeros((8, 8, 3), np.uint8)], "16 to"),
        ([np.zeros((64, 64, 4), np.uint8)], "uint8 RGB"),
        ([np.zeros((64, 64, 3), np.float32)], "uint8 RGB"),
        ([np.zeros((64, 64, 3), np.uint8), np.zeros((32, 64, 3), np.uint8)], "like the first"),
    ],
)
def test_bad_frames_are_refused_and_leave_no_file(frames, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        encode_ts(frames, fps=24, start_frame=0)
    with pytest.raises(ValueError, match=words):
        encode_mp4(frames, tmp_path / "x.mp4", fps=24)
    assert not list(tmp_path.iterdir())


def test_bad_numbers_are_refused(tmp_path):
    frame = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match="fps"):
        encode_ts([frame], fps=0, start_frame=0)
    with pytest.raises(ValueError, match="crf"):
        encode_ts([frame], fps=24, start_frame=0, crf=60)
    with pytest.raises(ValueError, match="start_frame"):
        encode_ts([frame], fps=24, start_frame=-1)
    with pytest.raises(ValueError, match=r"\.ts"):
        save_ts([frame], tmp_path / "x.mp4", fps=24, start_frame=0)


@pytest.mark.parametrize("fps", [24, Fraction(30000, 1001)])
def test_joined_chunks_are_the_same_pictures(fps, tmp_path):
    frames = moving_disc(20)
    parts = [(0, 8), (8, 16), (16, 20)]
    chunks = [encode_ts(frames[a:b], fps=fps, start_frame=a) for a, b in parts]
    path = join_ts(chunks, tmp_path / "turn.mp4", fps=fps)
    expected = [picture for chunk in chunks for picture in decode(io.BytesIO(chunk))[0]]
    found, times = decode(str(path))
    assert len(found) == len(expected) == 20
    np.testing.assert_array_equal(found, expected)
    assert [float(t) for t in times] == pytest.approx(np.arange(20) / float(fps), abs=1e-4)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("chunks", [[], [b"no video"], [b""]])
def test_what_is_no_stream_is_not_joined(chunks, tmp_path):
    with pytest.raises(ValueError, match="expected"):
        join_ts(chunks, tmp_path / "turn.mp4", fps=24)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("n_frames", [1, 2, 24])
@pytest.mark.parametrize("fps", [24, Fraction(30000, 1001)])
@pytest.mark.parametrize("start_frame", [0, 48])
def test_duration_of_a_chunk(n_frames, fps, start_frame):
    chunk = encode_ts(moving_disc(n_frames), fps=fps, start_frame=start_frame)
    assert ts_duration_s(chunk) == pytest.approx(n_frames / float(fps), abs=1e-4)


def test_what_is_no_chunk_has_no_duration():
    with pytest.raises(ValueError, match="made by encode_ts"):
        ts_duration_s(b"no video")
