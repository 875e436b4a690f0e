"""What a sound becomes in codecs that people use: Opus, and PCM with and without the μ-law."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import av
import numpy as np
from jaxtyping import Integer

from hyperdemo.config import SAMPLE_RATE_HZ
from hyperdemo.media.audio import decode_audio
from train.sound.evaluate import Signal

MU = 255
_FULL_SCALE = 32768


@dataclass(frozen=True)
class Coded:
    """A sound that went through a codec.

    Attributes:
        said: what comes out, at 16 kHz.
        n_bytes: of its payload.
        n_bytes_plain: before lossless coding, where that is known.
    """

    said: Signal
    n_bytes: int
    n_bytes_plain: int | None = None


def code_opus(heard: Signal, *, kbit_s: int) -> Coded:
    """Through libopus, with its defaults: variable bit rate, tuned for faithfulness.

    The Ogg file in between says how many samples come before the sound and after it, and the
    decoder drops them. It is libopus again, at 16 kHz: PyAV's would give 48 kHz, to be resampled
    at a loss of up to 3.5 dB of SI-SNR. The lag that is left is Opus's own: none from 12 kbit/s on,
    about half a sample below, where it halves the bandwidth.

    Args:
        heard: at 16 kHz.
        kbit_s: asked for; the encoder spends more or less, and what it spent is counted.

    Raises:
        ValueError: what comes out is not as long as what went in.
    """
    file, n_bytes = io.BytesIO(), 0
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=SAMPLE_RATE_HZ)
        stream.layout, stream.bit_rate = "mono", 1000 * kbit_s
        stream.codec_context.format = "s16"
        frame = av.AudioFrame.from_ndarray(_int16(heard)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            n_bytes += packet.size
            container.mux(packet)
    # One sample more than there should be, so that what is too long is seen to be.
    clip = decode_audio(file.getvalue(), max_seconds=(len(heard) + 1) / SAMPLE_RATE_HZ)
    if (clip.rate_hz, clip.samples.shape) != (SAMPLE_RATE_HZ, (1, len(heard))):
        got = f"{list(clip.samples.shape)} at {clip.rate_hz} Hz"
        raise ValueError(f"expected [1, {len(heard)}] at {SAMPLE_RATE_HZ} Hz, got {got}")
    return Coded(clip.samples[0], n_bytes)


def code_pcm(heard: Signal) -> Coded:
    """16 bits a sample."""
    return Coded((_int16(heard) / np.float32(_FULL_SCALE)).astype(np.float32), 2 * len(heard))


def code_mu_law(heard: Signal) -> Coded:
    """8 bits a sample: sign and 7 bits of ln(1 + μ|x|) / ln(1 + μ), with μ = 255.

    The law that the segments of ITU-T G.711 approximate. Silence stays silent.
    """
    x = np.clip(heard.astype(np.float64), -1, 1)
    levels = np.rint(127 * np.log1p(MU * np.abs(x)) / math.log1p(MU))
    said = np.sign(x) * np.expm1(levels / 127 * math.log1p(MU)) / MU
    return Coded(said.astype(np.float32), len(heard))


def _int16(heard: Signal) -> Integer[np.ndarray, " n"]:
    full = _FULL_SCALE
    return np.clip(np.rint(heard * np.float64(full)), -full, full - 1).astype(np.int16)
