"""Sound files as recorders, browsers and editors write them."""

import io
import struct

import av
import numpy as np
import soundfile

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


def sine(hz, *, rate_hz, seconds=0.5, level=0.5):
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)


def file_bytes(samples, rate_hz, format, subtype=None):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.atleast_2d(samples).T, rate_hz, format=format, subtype=subtype)
    return buffer.getvalue()


def through_ffmpeg(samples, rate_hz, format, codec, *, bit_rate=128_000, **options):
    """A file [channels, n] by FFmpeg's encoder, as browsers and phones write it."""
    samples = np.atleast_2d(samples).astype(np.float32)
    layout = LAYOUTS[len(samples)]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format, options=options) as file:
        stream = file.add_stream(codec, rate=rate_hz, layout=layout)
        stream.bit_rate = bit_rate
        size = stream.codec_context.frame_size or 960
        for start in range(0, samples.shape[1], size):
            block = np.ascontiguousarray(samples[:, start : start + size])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts = rate_hz, start
            convert = av.AudioResampler(format=stream.codec_context.format, layout=layout)
            for converted in convert.resample(frame):
                file.mux(stream.encode(converted))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def wav_header(*, n_bytes, rate_hz=16_000, n_channels=1, bits=16, kind=1):
    """The 44 bytes in front of the samples, whatever then follows."""
    align = n_channels * bits // 8
    form = struct.pack("<HHIIHH", kind, n_channels, rate_hz, rate_hz * align, align, bits)
    return (
        b"RIFF" + struct.pack("<I", 36 + n_bytes) + b"WAVEfmt " + struct.pack("<I", 16) + form
        + b"data" + struct.pack("<I", n_bytes)
    )  # fmt: skip


def level_at(samples, hz, *, rate_hz):
    """Amplitude of one frequency over the middle of a signal, by correlation."""
    middle = samples[len(samples) // 4 : -(len(samples) // 4)].astype(np.float64)
    window = np.hanning(len(middle))
    turn = np.exp(-2j * np.pi * hz * np.arange(len(middle)) / rate_hz)
    return 2 * abs((window * middle * turn).sum()) / window.sum()
