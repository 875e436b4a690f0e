"""Sound in and out: the only place that reads or writes it.

Whatever a visitor drops on the page or records comes out of `decode_audio` as float samples at
the file's own rate, or as a `ValueError` that says what to do. Files are decoded no further than
asked, so neither a long file nor a header that lies fills the memory.
"""

import io
import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

import av
import numpy as np
import soundfile
import soxr
from jaxtyping import Float
from scipy.io import wavfile

from hyperdemo.config import MAX_RATE_HZ, MIN_RATE_HZ

DEFAULT_MAX_SECONDS = 60.0
MAX_CHANNELS = 8  # 7.1; a minute at the highest rate then takes 369 MB
MIN_DAMAGED_SECONDS = 0.1  # what must come out of a damaged file for it to count as sound
MAX_PEAK = 32.0  # a float file beyond it holds integers, or is no sound
FORMATS_IN_WORDS = "WAV, FLAC, OGG, MP3, M4A or WebM"

# Closed lists: libsndfile would also take formats that nearly any bytes fit, and FFmpeg follows
# playlists, which name other files of the machine and addresses. MP3 is FFmpeg's: libsndfile only
# estimates its length and reads no further than that.
_SOUNDFILE_FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "AIFF", "AU", "CAF")
_AV_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,matroska,webm,ogg,mp3,aac,ac3,flac,wav,w64,aiff,caf,au,asf,amr,avi,mpegts"
)
# What the decoders raise on broken bytes. av's errors are several of these at once.
_BROKEN = (soundfile.SoundFileError, av.FFmpegError, OSError, EOFError, ValueError, RuntimeError)

Subtype = Literal["PCM_16", "FLOAT"]


@dataclass(frozen=True)
class Clip:
    """Sound as it lay in a file.

    Attributes:
        samples: float32 in [-1, 1], at `rate_hz`.
        rate_hz: samples a second of each channel.
        truncated: the file goes on after what `max_seconds` let through.
        channels_in_file: channels before any mixing.
        quieter_db: by how much a sound was made quieter that went beyond full scale.
    """

    samples: Float[np.ndarray, "channels n"]
    rate_hz: int
    truncated: bool
    channels_in_file: int
    quieter_db: float = 0.0

    @property
    def duration_s(self) -> float:
        return self.samples.shape[1] / self.rate_hz


@dataclass(frozen=True)
class _Decoded:
    """What came out of a file; `damage` is set where that is less than should have."""

    samples: Float[np.ndarray, "channels n"]
    rate_hz: int
    goes_on: bool
    damage: str | None


def decode_audio(
    source: str | Path | bytes | None, *, max_seconds: int | float = DEFAULT_MAX_SECONDS
) -> Clip:
    """Decode the beginning of any sound file, or of the sound of a video.

    The bytes decide the format, not the name. A sound that goes beyond full scale is made quieter
    as a whole. Of a damaged file, what can be decoded is taken, where that is at least 0.1 s.

    Args:
        source: a path, or the bytes of a file.
        max_seconds: no more than this is decoded; what follows is left, and the clip says so.

    Raises:
        ValueError: nothing was given, the file is missing, empty, damaged, no sound this program
            knows or without samples, a sample is NaN or infinite or far beyond full scale, or
            rate or channels are out of range.
    """
    if not 0 < max_seconds < math.inf:
        raise ValueError(f"expected max_seconds above 0 and finite, got {max_seconds}")
    data = _checked_source(source)
    decoded = _through_soundfile(data, max_seconds=max_seconds)
    if decoded is None:
        decoded = _through_av(data, max_seconds=max_seconds)
    n_channels, n_samples = decoded.samples.shape
    seconds = n_samples / decoded.rate_hz
    if decoded.damage and seconds < MIN_DAMAGED_SECONDS:
        raise ValueError(
            "expected a whole sound file, but this one is damaged or cut short after "
            f"{seconds:.2f} s ({decoded.damage}); save or download it again"
        )
    if n_samples == 0:
        raise ValueError("expected sound, got a file without a single sample; choose another one")
    peak = _checked_peak(decoded.samples)
    samples = decoded.samples if peak <= 1 else decoded.samples / np.float32(peak)
    return Clip(
        np.ascontiguousarray(samples), decoded.rate_hz, decoded.goes_on, n_channels,
        quieter_db=20 * math.log10(max(peak, 1.0)),
    )  # fmt: skip


def mix_to_mono(clip: Clip) -> Float[np.ndarray, " n"]:
    """The mean of the channels, which cannot clip; channels in opposite phase cancel."""
    return clip.samples.mean(axis=0, dtype=np.float64).astype(np.float32)


def resampled_length(n: int, *, from_hz: int, to_hz: int) -> int:
    """ceil(n · to_hz / from_hz): as many samples at `to_hz` as fall into the time of `n`."""
    return -(-n * to_hz // from_hz)


def resample(
    samples: Float[np.ndarray, "*channels n"], *, from_hz: int, to_hz: int
) -> Float[np.ndarray, "*channels m"]:
    """Change the rate with soxr's band-limited interpolation (quality VHQ, linear phase).

    Sample 0 stays at time 0. What lies above half of the lower rate is removed, not folded back.
    Before its start and after its end the sound counts as silent: where it starts or stops loud,
    it rings for some milliseconds.

    Args:
        samples: any channels, in [-1, 1]; steep edges may overshoot by about 10 %.
        from_hz, to_hz: whole samples a second.

    Returns:
        float32 of exactly m = ceil(n · to_hz / from_hz) samples; equal rates change nothing.

    Raises:
        ValueError: a rate is not positive.
    """
    if min(from_hz, to_hz) < 1:
        raise ValueError(f"expected rates of at least 1 Hz, got {from_hz} and {to_hz} Hz")
    samples = np.asarray(samples, np.float32)
    *channels, n = samples.shape
    if from_hz == to_hz:
        return samples.copy()
    m = resampled_length(n, from_hz=from_hz, to_hz=to_hz)
    # soxr rounds its length to the nearest; silence after the end lets it give one sample more.
    rows = np.pad(samples.reshape(math.prod(channels), n), ((0, 0), (0, 2 + from_hz // to_hz)))
    converted = soxr.resample(rows.T, from_hz, to_hz, quality="VHQ")[:m].T
    return np.ascontiguousarray(converted).reshape(*channels, m)


def encode_wav(
    samples: Float[np.ndarray, "*channels n"], *, rate_hz: int, subtype: Subtype = "PCM_16"
) -> bytes:
    """A WAV file, level as given: nothing is normalised, dithered or stamped with the time.

    Args:
        samples: [n] or [channels, n], full scale at ±1.
        rate_hz: samples a second.
        subtype: "PCM_16" rounds to the nearest 1/32768 and clips to [-1, 32767/32768]; "FLOAT"
            keeps float32 values as they are, also beyond full scale.

    Raises:
        ValueError: a sample is NaN or infinite, or shape, rate or subtype are out of range.
    """
    if subtype not in ("PCM_16", "FLOAT"):
        raise ValueError(f"expected subtype 'PCM_16' or 'FLOAT', got {subtype!r}")
    if samples.ndim not in (1, 2) or (samples.ndim == 2 and not 1 <= len(samples) <= MAX_CHANNELS):
        raise ValueError(
            f"expected samples of shape [n] or [1 to {MAX_CHANNELS} channels, n], "
            f"got {list(samples.shape)}; transpose them if channels come last"
        )
    if rate_hz < 1:
        raise ValueError(f"expected a rate of at least 1 Hz, got {rate_hz}")
    if not np.isfinite(samples).all():
        raise ValueError("expected finite samples, got NaN or infinity")
    if subtype == "PCM_16":
        stored = np.clip(np.rint(samples * np.float64(32768)), -32768, 32767).astype(np.int16)
    else:
        stored = samples.astype(np.float32)
    buffer = io.BytesIO()
    # SciPy's writer, since libsndfile's puts the time of writing into every float file.
    wavfile.write(buffer, rate_hz, np.ascontiguousarray(stored.T))
    return buffer.getvalue()


def _checked_source(source: object) -> Path | bytes:
    if source is None:
        raise ValueError(f"expected sound, got nothing; choose a {FORMATS_IN_WORDS} file")
    if not isinstance(source, (str, Path, bytes)):
        raise ValueError(f"expected sound as a path or bytes, got {type(source).__name__}")
    data = Path(source) if isinstance(source, str) else source
    if isinstance(data, Path) and not data.is_file():
        raise ValueError(f"expected a sound file, but there is none at {data.name!r}")
    if (data.stat().st_size if isinstance(data, Path) else len(data)) == 0:
        raise ValueError("expected sound, got an empty file; choose another one")
    return data


def _through_soundfile(data: Path | bytes, *, max_seconds: int | float) -> _Decoded | None:
    """None where libsndfile does not know the format, or meets damage: PyAV may go further."""
    try:
        file = soundfile.SoundFile(str(data) if isinstance(data, Path) else io.BytesIO(data))
    except (soundfile.SoundFileError, TypeError):  # TypeError: the name ends in .raw
        return None
    with file:
        if file.format not in _SOUNDFILE_FORMATS:
            return None
        _check_header(file.samplerate, file.channels)
        limit = math.ceil(max_seconds * file.samplerate)
        try:
            samples = file.read(limit + 1, dtype="float32", always_2d=True).T
        except _BROKEN:
            return None
        if samples.shape[1] < min(file.frames, limit):
            return None
        goes_on = samples.shape[1] > limit
        return _Decoded(samples[:, :limit], file.samplerate, goes_on, damage=None)


def _through_av(data: Path | bytes, *, max_seconds: int | float) -> _Decoded:
    with ExitStack() as stack:
        # An open file, not its name: FFmpeg reads some names as addresses.
        file = stack.enter_context(data.open("rb") if isinstance(data, Path) else io.BytesIO(data))
        head = file.read(1024)
        file.seek(0)
        try:
            options = {"format_whitelist": _AV_FORMATS}
            container = stack.enter_context(av.open(file, options=options))
        except _BROKEN as error:
            raise _unknown(head) from error
        if not container.streams.audio:
            raise ValueError("expected sound, got a file without a sound track; choose another one")
        frames = _frames(container)
        try:
            first = next(frames)
        except (StopIteration, *_BROKEN) as error:
            raise _unknown(head) from error
        # The first frame tells more truly than the header, which may state half the rate (AAC).
        rate_hz, n_channels = first.sample_rate, first.layout.nb_channels
        _check_header(rate_hz, n_channels)
        limit = math.ceil(max_seconds * rate_hz)
        samples, damage = _collect(_av_blocks(chain([first], frames)), n_channels, limit=limit)
        announced_s = (container.duration or 0) / av.time_base
        if damage is None and samples.shape[1] < min(limit, 0.9 * announced_s * rate_hz):
            damage = f"{announced_s:.2f} s were announced"
        goes_on = samples.shape[1] > limit
        return _Decoded(samples[:, :limit], rate_hz, goes_on, damage)


def _frames(container: av.container.InputContainer) -> Iterator[av.AudioFrame]:
    for packet in container.demux(audio=0):
        try:
            yield from packet.decode()
        except av.InvalidDataError:
            pass  # players skip it too: a hole in a recording, or the joint of two MP3 files


def _av_blocks(frames: Iterator[av.AudioFrame]) -> Iterator[np.ndarray]:
    """Planes of float32, whatever the codec's own type; rate and layout stay."""
    converter = av.AudioResampler(format="fltp")
    for frame in chain(frames, [None]):  # None asks for what is still held back
        for converted in converter.resample(frame):
            yield converted.to_ndarray()


def _collect(
    blocks: Iterator[np.ndarray], n_channels: int, *, limit: int
) -> tuple[Float[np.ndarray, "channels n"], str | None]:
    """Join blocks [channels, n] until there is more than enough; a broken end costs only itself."""
    parts, n, damage = [np.zeros((n_channels, 0), np.float32)], 0, None
    try:
        for block in blocks:
            parts.append(block)
            n += block.shape[1]
            if n > limit:
                break
    except _BROKEN as error:
        damage = str(error) or type(error).__name__
    return np.concatenate(parts, axis=1), damage


def _check_header(rate_hz: int, n_channels: int) -> None:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ValueError(
            f"expected {MIN_RATE_HZ} to {MAX_RATE_HZ} samples a second, got {rate_hz}; "
            "save the sound at 44100 Hz"
        )
    if not 1 <= n_channels <= MAX_CHANNELS:
        raise ValueError(
            f"expected 1 to {MAX_CHANNELS} channels, got {n_channels}; mix it down to stereo"
        )


def _unknown(head: bytes) -> ValueError:
    is_text = head.isascii() and min(head) >= 9
    got = "text" if is_text else "a damaged file, or no sound that this program knows"
    return ValueError(
        f"expected sound, got {got}; choose a {FORMATS_IN_WORDS} file, or save it again"
    )


def _checked_peak(samples: np.ndarray) -> float:
    peak = float(max(samples.max(), -samples.min()))  # NaN where there is one
    if not math.isfinite(peak):
        raise ValueError("expected finite samples, got NaN or infinity; save them as 16-bit WAV")
    if peak > MAX_PEAK:
        raise ValueError(
            f"expected samples in [-1, 1], got up to {peak:g}; scale them, or save as 16-bit WAV"
        )
    return peak
