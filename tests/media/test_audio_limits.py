"""What `decode_audio` does with long, lying, damaged and wrong files."""

import io
import math
import tracemalloc

import av
import numpy as np
import pytest

from hyperdemo.media.audio import decode_audio
from tests.media.sounds import file_bytes, sine, through_ffmpeg, wav_header


def test_only_the_first_seconds_are_decoded():
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    data = file_bytes(sound, 16000, "WAV", "DOUBLE")
    for seconds in (0.0625, 0.5, 15999 / 16000):
        clip = decode_audio(data, max_seconds=seconds)
        assert clip.truncated and clip.samples.shape == (1, round(seconds * 16000))
        np.testing.assert_allclose(clip.samples[0], sound[: clip.samples.shape[1]], atol=1e-7)
    for seconds in (1.0, 1.5, 60.0):
        clip = decode_audio(data, max_seconds=seconds)
        assert not clip.truncated and clip.samples.shape == (1, 16000)
    for seconds in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="max_seconds"):
            decode_audio(data, max_seconds=seconds)


def test_ten_hours_do_not_fill_the_memory(tmp_path):
    n_bytes = 2 * 16000 * 36000
    path = tmp_path / "long.wav"
    with path.open("wb") as file:  # a hole in the file, that takes no room on the disk
        file.write(wav_header(n_bytes=n_bytes))
        file.truncate(44 + n_bytes)
    tracemalloc.start()
    clip = decode_audio(path, max_seconds=10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert clip.truncated and clip.samples.shape == (1, 160_000) and not clip.samples.any()
    assert peak < 8e6


def test_a_header_that_lies_about_its_length_does_not_fill_the_memory():
    data = wav_header(n_bytes=2**32 - 100) + np.full(16000, 8192, "<i2").tobytes()
    tracemalloc.start()
    clip = decode_audio(data, max_seconds=86400)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not clip.truncated and clip.samples.shape == (1, 16000) and (clip.samples == 0.25).all()
    assert peak < 8e6


def test_a_sound_beyond_full_scale_is_made_quieter_and_says_so():
    sound = np.array([0.0, 1.5, -3.0, 0.5, 1.0, -1.0])
    clip = decode_audio(file_bytes(sound, 16000, "WAV", "FLOAT"))
    np.testing.assert_allclose(clip.samples[0], sound / 3, atol=1e-7)
    assert clip.quieter_db == pytest.approx(9.5424, abs=1e-3)
    full = decode_audio(file_bytes(sound / 3, 16000, "WAV", "FLOAT"))
    assert full.quieter_db == 0 and full.samples.min() == -1
    with pytest.raises(ValueError, match=r"expected samples in \[-1, 1\], got up to 32767"):
        decode_audio(file_bytes(np.array([0.0, -32767.0]), 16000, "WAV", "FLOAT"))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_samples_that_are_no_numbers_are_refused(bad):
    sound = np.zeros(100, "<f4")
    sound[70] = bad
    data = wav_header(n_bytes=400, bits=32, kind=3) + sound.tobytes()
    with pytest.raises(ValueError, match="NaN or infinity.*16-bit"):
        decode_audio(data)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (None, "got nothing; choose a WAV"),
        (b"", "an empty file"),
        (7, "got int"),
        (wav_header(n_bytes=0), "without a single sample"),
        (b"Dear all,\nthis is no sound.\n" * 100, "got text; choose a WAV"),
        (b"<html><body>404</body></html>", "got text"),
        (bytes(3000), "no sound that this program knows"),
        (np.random.default_rng(0).bytes(30000), "no sound that this program knows"),
        (wav_header(n_bytes=8000, rate_hz=4000) + bytes(8000), "expected 8000 to 192000.*got 4000"),
        (wav_header(n_bytes=80, rate_hz=768000) + bytes(80), "got 768000"),
        (wav_header(n_bytes=800, n_channels=10) + bytes(800), "1 to 8 channels, got 10"),
    ],
)
def test_what_is_no_sound_is_refused_in_plain_words(source, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        decode_audio(source)
    if isinstance(source, bytes):
        path = tmp_path / "voice.wav"
        path.write_bytes(source)
        with pytest.raises(ValueError, match=message):
            decode_audio(path)


def test_files_that_are_not_there_and_names_that_mislead(tmp_path):
    with pytest.raises(ValueError, match="none at 'missing.wav'"):
        decode_audio(tmp_path / "missing.wav")
    with pytest.raises(ValueError, match="there is none"):
        decode_audio(tmp_path)
    path = tmp_path / "sound.raw"  # libsndfile would ask for the rate
    path.write_bytes(file_bytes(sine(440, rate_hz=16000), 16000, "WAV", "PCM_16"))
    assert decode_audio(path).samples.shape == (1, 8000)


def test_playlists_open_no_other_file(tmp_path):
    (tmp_path / "secret.wav").write_bytes(file_bytes(sine(99, rate_hz=8000), 8000, "WAV"))
    lists = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n",
        f"ffconcat version 1.0\nfile {tmp_path}/secret.wav\n",
    )
    for text, name in zip(lists, ("a.m3u8", "a.ffconcat"), strict=True):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match="got text"):
            decode_audio(tmp_path / name)


def test_a_video_without_sound_is_refused():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        file.mux(stream.encode(picture))
        file.mux(stream.encode(None))
    with pytest.raises(ValueError, match="without a sound track"):
        decode_audio(buffer.getvalue())


@pytest.mark.parametrize(
    ("format", "subtype"), [("MP3", None), ("FLAC", None), ("OGG", "VORBIS"), ("OGG", "OPUS")]
)
def test_of_a_file_cut_short_the_beginning_is_heard(format, subtype):
    sound = sine(440, rate_hz=48000, seconds=3) + 0.02 * np.random.default_rng(0).random(144000)
    data = file_bytes(sound, 48000, format, subtype)
    whole = decode_audio(data)
    clip = decode_audio(data[: len(data) // 2])
    assert 0.5 < clip.duration_s < 2.5 and not clip.truncated
    n = clip.samples.shape[1]
    assert np.abs(clip.samples[0, : n // 2] - whole.samples[0, : n // 2]).max() < 1e-3
    for size in (len(data) // 100, 60):
        with pytest.raises(ValueError, match="damaged"):
            decode_audio(data[:size])


@pytest.mark.parametrize("format", ["MP3", "FLAC"])
def test_a_hole_in_the_middle(format):
    data = bytearray(file_bytes(sine(440, rate_hz=44100, seconds=2), 44100, format))
    data[len(data) // 2 : len(data) // 2 + 500] = bytes(500)
    clip = decode_audio(bytes(data))
    assert clip.duration_s > 0.8 and np.isfinite(clip.samples).all()


def test_an_mp3_of_changing_bit_rate_without_an_index_is_whole():
    """The length that its first seconds suggest is a sixth of the true one."""
    parts = [sine(440, rate_hz=16000, seconds=seconds) for seconds in (1, 6)]
    data = [
        through_ffmpeg(part, 16000, "mp3", "libmp3lame", bit_rate=bit_rate, write_xing="0")
        for part, bit_rate in zip(parts, (128_000, 16_000), strict=True)
    ]
    assert decode_audio(b"".join(data)).duration_s == pytest.approx(7, abs=0.3)
