import av
import numpy as np
import pytest

from hyperdemo.metrics import si_snr
from tests.train.sound.test_baselines import noises
from train.sound.codecs import code_mu_law, code_opus, code_pcm

RATE_HZ = 16_000


@pytest.fixture(scope="module")
def heard():
    return noises(1).sound(0).numpy()[:9_000]


@pytest.fixture(scope="module")
def chirp():
    """As speech: a gliding pitch of 100 to 200 Hz with its harmonics, louder and softer."""
    t = np.arange(2 * RATE_HZ + 123) / RATE_HZ
    phase = 2 * np.pi * (100 * t + 25 * t**2)
    voice = sum(np.sin(k * phase + k) / k for k in range(1, 21))
    return (0.1 * voice * (1 + np.sin(2 * np.pi * 4 * t))).astype(np.float32)


def test_opus_is_aligned_and_as_long_as_what_went_in(chirp):
    for n in (len(chirp), 20_000, 16_001):
        truth = chirp[:n]
        coded = code_opus(truth, kbit_s=128)
        assert coded.said.shape == (n,) and coded.n_bytes_plain is None
        assert si_snr(coded.said, truth) > 25
    for kbit_s in (12, 24, 48, 128):
        said = code_opus(chirp, kbit_s=kbit_s).said.astype(np.float64)
        spectrum = np.fft.rfft(said, 2 * n) * np.fft.rfft(chirp, 2 * n).conj()
        assert np.argmax(np.fft.irfft(spectrum)) == 0


def test_opus_spends_about_what_was_asked():
    noise = noises(1).sound(0).numpy()  # what no predictor makes shorter
    for asked in (8, 24, 96):
        assert code_opus(noise, kbit_s=asked).n_bytes == pytest.approx(125 * asked, rel=0.2)


def test_sixteen_bits_of_pcm_are_what_a_prompt_is(heard):
    coded = code_pcm(heard)
    assert np.array_equal(coded.said, heard) and coded.n_bytes == 2 * len(heard)
    assert code_pcm(np.float32([1.5, -1.5])).said.tolist() == [32767 / 32768, -1]


def test_mu_law_in_closed_form(heard):
    coded = code_mu_law(heard)
    assert coded.n_bytes == len(heard)
    levels = np.arange(-127, 128) / 127
    known = np.sign(levels) * (256 ** np.abs(levels) - 1) / 255
    assert np.abs(coded.said[:, None] - known).min(1).max() < 1e-7
    # The nearest level on the companded scale is never further than half of it.
    companded = np.sign(heard) * np.log(1 + 255 * np.abs(heard.astype(float))) / np.log(256)
    back = np.sign(coded.said) * np.log(1 + 255 * np.abs(coded.said.astype(float))) / np.log(256)
    assert np.abs(companded - back).max() <= 0.5 / 127 + 1e-6
    ends = np.float32([-1, 0, 1, 2])
    np.testing.assert_allclose(code_mu_law(ends).said, [-1, 0, 1, 1], atol=1e-6)


def test_mu_law_is_as_good_as_the_telephone_s(heard):
    codec = av.CodecContext.create("pcm_mulaw", "w")
    codec.sample_rate, codec.layout, codec.format = RATE_HZ, "mono", "s16"
    samples = np.rint(heard * 32768).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
    frame.sample_rate = RATE_HZ
    packets = [*codec.encode(frame), *codec.encode(None)]
    decoder = av.CodecContext.create("pcm_mulaw", "r")
    decoder.sample_rate, decoder.layout = RATE_HZ, "mono"
    parts = [f.to_ndarray()[0] for p in packets for f in decoder.decode(p)]
    theirs = np.concatenate(parts) / 32768
    assert sum(p.size for p in packets) == len(heard)
    assert si_snr(code_mu_law(heard).said, heard) == pytest.approx(si_snr(theirs, heard), abs=1)
