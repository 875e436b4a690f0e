"""Sound of every kind in and out, at any rate."""

import io

import av
import numpy as np
import pytest
import soundfile

from hyperdemo.media.audio import (
    Clip,
    decode_audio,
    encode_wav,
    mix_to_mono,
    resample,
    resampled_length,
)
from tests.media.sounds import file_bytes, level_at, sine, through_ffmpeg


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 44100, 48000, 192000])
@pytest.mark.parametrize("format", ["WAV", "FLAC"])
def test_lossless_files_come_back_exactly(format, rate_hz, tmp_path):
    levels = np.random.default_rng(1).integers(-32768, 32768, 10_000)
    path = tmp_path / "sound.dat"  # the name does not matter, the bytes do
    path.write_bytes(file_bytes(levels.astype(np.int16), rate_hz, format, "PCM_16"))
    for source in (path, str(path), path.read_bytes()):
        clip = decode_audio(source)
        assert clip.samples.dtype == np.float32 and clip.samples.flags["C_CONTIGUOUS"]
        np.testing.assert_array_equal(clip.samples, levels[None] / 32768)
        assert (clip.rate_hz, clip.truncated, clip.channels_in_file) == (rate_hz, False, 1)
        assert clip.duration_s == 10_000 / rate_hz


@pytest.mark.parametrize(
    ("format", "subtype", "step"),
    [("WAV", "PCM_U8", 1 / 128), ("WAV", "PCM_24", 2**-23), ("WAV", "FLOAT", 1e-7),
     ("WAV", "DOUBLE", 1e-7), ("WAV", "ULAW", 0.03), ("AIFF", "PCM_16", 2**-15),
     ("CAF", "PCM_16", 2**-15), ("W64", "PCM_16", 2**-15), ("RF64", "PCM_16", 2**-15)],
)  # fmt: skip
def test_subtypes(format, subtype, step):
    sound = sine(440, rate_hz=22050)
    clip = decode_audio(file_bytes(sound, 22050, format, subtype))
    np.testing.assert_allclose(clip.samples[0], sound, atol=step)


@pytest.mark.parametrize(
    ("format", "subtype"), [("MP3", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("FLAC", None)]
)
@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_lossy_files_keep_length_time_and_level(format, subtype, rate_hz):
    sound = np.stack([sine(440, rate_hz=rate_hz), sine(1000, rate_hz=rate_hz, level=0.3)])
    clip = decode_audio(file_bytes(sound, rate_hz, format, subtype))
    assert clip.samples.shape[0] == clip.channels_in_file == 2
    assert clip.duration_s == pytest.approx(0.5, abs=1e-9)
    if clip.rate_hz == rate_hz:  # Opus is 48 kHz whatever came in
        error = clip.samples[:, 2000:-2000] - sound[:, 2000:-2000]
        assert np.sqrt(np.mean(error**2)) < 0.02
    assert level_at(clip.samples[0], 440, rate_hz=clip.rate_hz) == pytest.approx(0.5, rel=0.05)
    assert level_at(clip.samples[1], 1000, rate_hz=clip.rate_hz) == pytest.approx(0.3, rel=0.05)


@pytest.mark.parametrize(
    ("format", "codec", "rate_hz", "n_channels"),
    [("webm", "libopus", 48000, 1), ("webm", "libopus", 48000, 2), ("ipod", "aac", 44100, 2),
     ("mp4", "aac", 48000, 6), ("adts", "aac", 16000, 1), ("matroska", "pcm_s16le", 44100, 1),
     ("mpegts", "mp2", 32000, 2), ("mp3", "libmp3lame", 44100, 2)],
)  # fmt: skip
def test_what_browsers_and_phones_record(format, codec, rate_hz, n_channels, tmp_path):
    sound = np.tile(sine(440, rate_hz=rate_hz, seconds=1), (n_channels, 1))
    path = tmp_path / "recording"
    path.write_bytes(through_ffmpeg(sound, rate_hz, format, codec))
    clip = decode_audio(path)
    assert (clip.rate_hz, clip.channels_in_file) == (rate_hz, n_channels)
    assert clip.duration_s == pytest.approx(1, abs=0.1)  # AAC fills its last frame
    for channel in clip.samples[:3]:
        assert level_at(channel, 440, rate_hz=rate_hz) == pytest.approx(0.5, rel=0.05)
    assert decode_audio(path, max_seconds=0.25).truncated
    np.testing.assert_array_equal(
        decode_audio(path.read_bytes(), max_seconds=0.25).samples,
        clip.samples[:, : rate_hz // 4],
    )


def test_the_sound_of_a_video_is_taken():
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        video = file.add_stream("mpeg4", rate=10)
        video.width = video.height = 32
        sound = file.add_stream("aac", rate=44100, layout="mono")
        for number in range(5):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            picture.pts = number
            file.mux(video.encode(picture))
        for start in range(0, 22050, 1024):
            block = sine(440, rate_hz=44100)[None, start : start + 1024].astype(np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, start
            file.mux(sound.encode(frame))
        file.mux(video.encode(None))
        file.mux(sound.encode(None))
    clip = decode_audio(buffer.getvalue())
    assert level_at(clip.samples[0], 440, rate_hz=44100) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("n_channels", range(1, 9))
def test_channels_and_their_mean(n_channels):
    levels = np.random.default_rng(n_channels).uniform(-1, 1, (n_channels, 500))
    clip = decode_audio(file_bytes(levels, 48000, "WAV", "DOUBLE"))
    assert clip.samples.shape == (n_channels, 500) and clip.channels_in_file == n_channels
    mono = mix_to_mono(clip)
    assert mono.dtype == np.float32
    by_hand = [sum(levels[c, i] for c in range(n_channels)) / n_channels for i in range(500)]
    np.testing.assert_allclose(mono, by_hand, atol=1e-7)


@pytest.mark.parametrize(("from_hz", "to_hz"), [(16000, 48000), (44100, 16000), (11025, 48000)])
def test_a_resampled_sine_is_the_sine(from_hz, to_hz):
    for hz in (50, 1234, 0.4 * min(from_hz, to_hz)):
        found = resample(sine(hz, rate_hz=from_hz, seconds=1), from_hz=from_hz, to_hz=to_hz)
        closed_form = sine(hz, rate_hz=to_hz, seconds=1)
        assert found.dtype == np.float32 and found.shape == closed_form.shape
        margin = to_hz // 10  # where the sudden start and end ring
        np.testing.assert_allclose(found[margin:-margin], closed_form[margin:-margin], atol=2e-4)


def test_what_the_lower_rate_cannot_hold_is_removed_and_not_folded():
    high = sine(9000, rate_hz=44100, seconds=1)
    folded = resample(high, from_hz=44100, to_hz=16000)[1600:-1600]
    assert np.abs(folded).max() < 1e-5
    up = resample(sine(3000, rate_hz=16000, seconds=1), from_hz=16000, to_hz=48000)
    assert level_at(up, 16000 - 3000, rate_hz=48000) < 1e-5  # no mirror image


@pytest.mark.parametrize("n", [0, 1, 2, 7, 441, 1000])
def test_resampled_lengths_are_exact(n):
    for from_hz, to_hz in [(44100, 16000), (8000, 192000), (192000, 8000), (11025, 48000)]:
        m = len([i for i in range(n * 24 + 2) if i * from_hz < n * to_hz])
        assert resampled_length(n, from_hz=from_hz, to_hz=to_hz) == m
        samples = np.linspace(-0.5, 0.5, n, dtype=np.float32)
        assert resample(samples, from_hz=from_hz, to_hz=to_hz).shape == (m,)
        rows = resample(np.stack([samples, -samples]), from_hz=from_hz, to_hz=to_hz)
        assert rows.shape == (2, m)
        np.testing.assert_array_equal(rows[0], -rows[1])


def test_equal_rates_change_nothing_and_bad_rates_are_refused():
    sound = sine(440, rate_hz=16000).astype(np.float32)
    same = resample(sound, from_hz=16000, to_hz=16000)
    np.testing.assert_array_equal(same, sound)
    assert same is not sound
    for rates in ({"from_hz": 0, "to_hz": 16000}, {"from_hz": 16000, "to_hz": -1}):
        with pytest.raises(ValueError, match="at least 1 Hz"):
            resample(sound, **rates)


def test_wav_files_keep_the_level():
    sound = np.array([0.0, 0.4, -0.4, 1 / 32768, 0.6 / 32768, -1.0, 1.0, 1.5, -1.5], np.float32)
    levels, rate_hz = soundfile.read(io.BytesIO(encode_wav(sound, rate_hz=22050)), dtype="int16")
    assert rate_hz == 22050
    assert levels.tolist() == [0, 13107, -13107, 1, 1, -32768, 32767, 32767, -32768]
    data = encode_wav(sound, rate_hz=48000, subtype="FLOAT")
    np.testing.assert_array_equal(soundfile.read(io.BytesIO(data), dtype="float32")[0], sound)
    quiet = encode_wav(1e-3 * sound[:5], rate_hz=48000)
    assert np.abs(decode_audio(quiet).samples).max() == 13 / 32768  # not made louder


@pytest.mark.parametrize("n_channels", [1, 2, 6])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_wav_round_trip(n_channels, subtype):
    sound = np.random.default_rng(0).uniform(-1, 1, (n_channels, 999)).astype(np.float32)
    data = encode_wav(sound, rate_hz=44100, subtype=subtype)
    assert data == encode_wav(sound, rate_hz=44100, subtype=subtype)
    clip = decode_audio(data)
    assert clip.rate_hz == 44100
    error = np.abs(clip.samples - sound).max()
    assert error == 0 if subtype == "FLOAT" else error <= 1 / 32768
    assert encode_wav(clip.samples, rate_hz=44100, subtype=subtype) == data


def test_wav_refuses_what_it_cannot_hold():
    good = np.zeros(10, np.float32)
    for samples, options, message in [
        (good, {"subtype": "MP3"}, "subtype"),
        (np.zeros((1000, 2), np.float32), {}, r"got \[1000, 2\]; transpose"),
        (good, {"rate_hz": 0}, "at least 1 Hz"),
        (np.full(10, np.nan, np.float32), {}, "NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            encode_wav(samples, **{"rate_hz": 16000, **options})


def test_clips_are_values():
    clip = Clip(np.zeros((2, 5), np.float32), 8000, truncated=False, channels_in_file=2)
    with pytest.raises(AttributeError):
        clip.rate_hz = 16000
    assert clip.duration_s == 5 / 8000
