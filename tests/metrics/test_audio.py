import math
import warnings

import numpy as np
import pytest
import torch

from hyperdemo.metrics import audio
from hyperdemo.metrics.audio import (
    log_spectral_distance,
    pesq_wb,
    si_snr,
    snr,
    stoi,
    visqol,
    waveform_psnr,
)

BY_SAMPLES = (waveform_psnr, snr, si_snr, log_spectral_distance)


def noise(n, *, seed=0, level=0.1):
    return level * np.random.default_rng(seed).standard_normal(n)


def speechlike(n, *, rate_hz):
    """A buzz at 120 Hz with formants, in syllables of a quarter of a second."""
    t = np.arange(n) / rate_hz
    buzz = sum(np.sin(2 * np.pi * 120 * k * t) / (1 + abs(k - 5)) for k in range(1, 25))
    return 0.1 * buzz * np.sin(2 * np.pi * 2 * t) ** 2


def test_psnr_is_that_of_the_waveform_scaled_to_unit_range():
    target = np.linspace(-0.9, 0.9, 1000)
    assert waveform_psnr(target + 0.02, target) == pytest.approx(40.0)
    estimate = target + noise(1000)
    scaled = [((x + 1) / 2) for x in (estimate, target)]
    by_hand = -10 * math.log10(sum((a - b) ** 2 for a, b in zip(*scaled, strict=True)) / 1000)
    assert waveform_psnr(estimate, target) == pytest.approx(by_hand)
    amplitude = waveform_psnr(estimate, target, peak_to_peak=1.0)
    assert by_hand - amplitude == pytest.approx(20 * math.log10(2))
    assert waveform_psnr(target, target) == math.inf
    assert waveform_psnr(np.zeros(8), np.full(8, 10 ** (-26 / 20))) == pytest.approx(
        32.02, abs=0.01
    )


def test_snr_of_known_errors():
    target = noise(1000)
    assert snr(1.1 * target, target) == pytest.approx(20.0)
    assert snr(-target, target) == pytest.approx(-20 * math.log10(2))
    silence = np.zeros(1000)
    assert snr(silence, target) == 0.0
    assert snr(target, target) == snr(silence, silence) == math.inf
    assert snr(target, silence) == -math.inf


def test_si_snr_by_hand():
    target, other = noise(2000) + 0.3, noise(2000, seed=1)
    t = list(target - math.fsum(target) / 2000)
    for estimate in (target + other, other, 0.01 * target - 7 * other + 2, target**3):
        e = list(estimate - math.fsum(estimate) / 2000)
        gain = sum(a * b for a, b in zip(e, t, strict=True)) / sum(a * a for a in t)
        signal = sum((gain * a) ** 2 for a in t)
        rest = sum((b - gain * a) ** 2 for a, b in zip(t, e, strict=True))
        assert si_snr(estimate, target) == pytest.approx(10 * math.log10(signal / rest), abs=1e-6)


def test_si_snr_knows_the_angle_only():
    n = np.arange(1000)
    sine, cosine = np.sin(2 * np.pi * n / 100), np.cos(2 * np.pi * n / 100)
    for angle in (0.1, 0.7, 1.4):
        turned = math.cos(angle) * sine + math.sin(angle) * cosine
        closed_form = -20 * math.log10(math.tan(angle))
        for gain, offset in ((1, 0), (-1e-6, 0.5), (300, -2)):
            found = si_snr(gain * turned + offset, sine)
            assert found == pytest.approx(closed_form, abs=1e-5)
    assert si_snr(0.5 * sine, sine) > 250  # infinite, but for rounding
    assert si_snr(sine, sine) == math.inf
    assert si_snr(cosine, sine) < -250


def test_silence_has_no_si_snr_and_no_share_in_a_sound():
    sound, silence, offset = noise(500), np.zeros(500), np.full(500, 0.1)
    for quiet in (silence, offset):
        assert si_snr(sound, quiet) is None and si_snr(quiet, quiet) is None
        assert si_snr(quiet, sound) == -math.inf


def lsd_by_hand(a, b, *, n_fft, hop, floor_db):
    values = []
    start = 0
    while start == 0 or start - hop + n_fft < len(a):
        levels = []
        for x in (a, b):
            frame = [x[i] if i < len(x) else 0.0 for i in range(start, start + n_fft)]
            row = []
            for k in range(n_fft // 2 + 1):
                total = sum(
                    math.sin(math.pi * i / n_fft) ** 2
                    * frame[i]
                    * np.exp(-2j * np.pi * k * i / n_fft)
                    for i in range(n_fft)
                )
                row.append(max(floor_db, 20 * math.log10(max(abs(total) / (n_fft / 4), 1e-30))))
            levels.append(row)
        squares = [(p - q) ** 2 for p, q in zip(*levels, strict=True)]
        values.append(math.sqrt(sum(squares) / len(squares)))
        start += hop
    return sum(values) / len(values)


@pytest.mark.parametrize("n", [5, 32, 33, 100])
def test_lsd_by_hand(n):
    a, b = noise(n), noise(n, seed=1)
    b[n // 2 :] *= 1e-3
    options = {"n_fft": 32, "hop": 12, "floor_db": -50.0}
    assert log_spectral_distance(a, b, **options) == pytest.approx(lsd_by_hand(a, b, **options))


def test_lsd_of_known_levels():
    sound = noise(20000, level=0.3)
    half = log_spectral_distance(0.5 * sound, sound, floor_db=-300.0)
    assert half == pytest.approx(20 * math.log10(2), abs=1e-9)
    assert log_spectral_distance(-sound, sound) == 0.0  # phase does not count
    silence, whisper = np.zeros(20000), noise(20000, level=1e-6)
    assert log_spectral_distance(silence, silence) == 0.0
    assert log_spectral_distance(whisper, silence) == 0.0
    # A sine at full scale has 0 dB in its bin and -6.02 dB in the two beside; the rest is floor.
    sine = np.sin(2 * np.pi * 100 * np.arange(2048) / 2048)
    expected = math.sqrt((80**2 + 2 * (80 - 20 * math.log10(2)) ** 2) / 1025)
    assert log_spectral_distance(silence[:2048], sine) == pytest.approx(expected, abs=1e-6)
    for options in ({"n_fft": 1}, {"hop": 0}, {"n_fft": 64, "hop": 65}):
        with pytest.raises(ValueError, match="hop <= n_fft"):
            log_spectral_distance(sound, sound, **options)


@pytest.mark.parametrize("rate_hz", [10_000, 16_000, 44_100])
def test_stoi_falls_as_noise_rises(rate_hz):
    target = speechlike(rate_hz, rate_hz=rate_hz)
    assert stoi(target, target, rate_hz=rate_hz) == pytest.approx(1.0)
    assert stoi(0.01 * target, target, rate_hz=rate_hz) == pytest.approx(1.0)
    disturbed = [
        stoi(target + noise(rate_hz, level=level), target, rate_hz=rate_hz)
        for level in (0.01, 0.1, 1.0)
    ]
    assert 1 > disturbed[0] > disturbed[1] > disturbed[2] > -0.2 and disturbed[0] > 0.8
    silence = np.zeros(rate_hz)
    assert stoi(silence, target, rate_hz=rate_hz) == 0.0
    assert stoi(target, silence, rate_hz=rate_hz) is None
    assert stoi(silence, silence, rate_hz=rate_hz) is None


def test_stoi_by_the_paper():
    """Taal et al. 2011, Eqs. 1-6, written out for a signal of just one segment without silence."""
    n = audio._STOI_MIN_SAMPLES
    target = noise(n)
    estimate = target + noise(n, seed=1, level=0.2)
    window = np.array([math.sin(math.pi * (i + 1) / 257) ** 2 for i in range(256)])
    bands = [[], []]
    for x, rows in zip((target, estimate), bands, strict=True):
        # Dropping silence windows the frames, and overlap-adds them, even where none is silent.
        added = np.zeros(n + 256)
        for start in range(0, n - 256, 128):
            added[start : start + 256] += window * x[start : start + 256]
        for start in range(0, 30 * 128, 128):
            power = abs(np.fft.rfft(window * added[start : start + 256], 512)) ** 2
            row = []
            for k in range(15):
                low, high = (150 * 2 ** ((2 * k + sign) / 6) for sign in (-1, 1))
                first, end = (round(edge * 512 / 10_000) for edge in (low, high))
                row.append(math.sqrt(power[first:end].sum()))
            rows.append(row)
    clean, degraded = np.array(bands[0]).T, np.array(bands[1]).T
    correlations = []
    for x, y in zip(clean, degraded, strict=True):
        y = np.minimum(y * np.linalg.norm(x) / np.linalg.norm(y), x * (1 + 10 ** (15 / 20)))
        x, y = x - x.mean(), y - y.mean()
        correlations.append(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    assert stoi(estimate, target, rate_hz=10_000) == pytest.approx(np.mean(correlations), abs=1e-6)


@pytest.mark.parametrize("rate_hz", [8000, 10_000, 16_000, 48_000])
def test_what_is_too_short_for_stoi_is_refused_without_a_warning(rate_hz):
    needed = math.ceil(0.4097 * rate_hz)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert stoi(noise(needed), noise(needed), rate_hz=rate_hz) == pytest.approx(1.0)
        for n in (1, needed // 2, needed - rate_hz // 5000 - 2):
            with pytest.raises(ValueError, match=r"at least 0\.41 s for STOI"):
                stoi(noise(n), noise(n), rate_hz=rate_hz)


@pytest.mark.filterwarnings("ignore:Not enough STFT frames:RuntimeWarning")
def test_a_word_in_long_silence_is_too_short_for_stoi():
    target = np.zeros(20_000)
    target[:2000] = noise(2000)
    with pytest.raises(ValueError, match="40 dB under the loudest part, got 2.00 s"):
        stoi(target, target, rate_hz=10_000)


def test_pesq_ranks_noise():
    pytest.importorskip("pesq", reason="built from source: pip install pesq")
    target = speechlike(32_000, rate_hz=16_000)
    same = pesq_wb(target, target, rate_hz=16_000)
    assert same == pytest.approx(4.644, abs=0.001)  # the end of its scale
    assert pesq_wb(0.1 * target, target, rate_hz=16_000) == pytest.approx(same, abs=0.01)
    a, b = (
        pesq_wb(target + noise(32_000, level=level), target, rate_hz=16_000)
        for level in (0.003, 0.1)
    )
    assert 4.6 > a > b > 1.0
    silence = np.zeros(32_000)
    assert pesq_wb(target, silence, rate_hz=16_000) is None
    assert pesq_wb(silence, target, rate_hz=16_000) is None


def test_pesq_refuses_what_it_cannot_judge(monkeypatch):
    sound = noise(16_000)
    with pytest.raises(ValueError, match="got 8000 Hz; resample"):
        pesq_wb(sound, sound, rate_hz=8000)
    with pytest.raises(ValueError, match=r"at least 0.25 s for PESQ, got 0.250 s"):
        pesq_wb(sound[:3999], sound[:3999], rate_hz=16_000)
    monkeypatch.setattr(audio.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install pesq"):
        pesq_wb(sound, sound, rate_hz=16_000)


def test_visqol_ranks_noise():
    pytest.importorskip("visqol", reason="slow, and not needed: pip install visqol-python")
    target = speechlike(32_000, rate_hz=16_000)
    same = visqol(target, target, rate_hz=16_000)
    assert same == pytest.approx(4.732, abs=0.001)  # the end of its scale
    a, b = (
        visqol(target + noise(32_000, level=level), target, rate_hz=16_000)
        for level in (0.001, 0.03)
    )
    assert 4.7 > a > b > 1.0
    assert visqol(target, np.zeros(32_000), rate_hz=16_000) is None
    assert visqol(target[:15_999], target[:15_999], rate_hz=16_000) is None


def test_visqol_says_what_it_lacks(monkeypatch):
    monkeypatch.setattr(audio.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install visqol-python"):
        visqol(noise(16_000), noise(16_000), rate_hz=16_000)


@pytest.mark.parametrize(
    "metric",
    [
        *BY_SAMPLES,
        lambda a, b: visqol(a, b, rate_hz=16_000),
        lambda a, b: stoi(a, b, rate_hz=16_000),
        lambda a, b: pesq_wb(a, b, rate_hz=16_000),
    ],
)
def test_signals_that_do_not_compare_are_refused(metric):
    sound = noise(16_000)
    with pytest.raises(ValueError, match=r"one length, got shapes \[15999\] and \[16000\]"):
        metric(sound[:-1], sound)
    with pytest.raises(ValueError, match="mono"):
        metric(np.stack([sound, sound]), np.stack([sound, sound]))
    with pytest.raises(ValueError, match="at least one sample"):
        metric(sound[:0], sound[:0])
    for bad in (math.nan, math.inf):
        broken = sound.copy()
        broken[7] = bad
        for pair in ((broken, sound), (sound, broken)):
            with pytest.raises(ValueError, match="NaN or infinity"):
                metric(*pair)


@pytest.mark.parametrize("metric", BY_SAMPLES)
def test_single_precision_gives_the_same(metric):
    target, estimate = noise(5000), noise(5000) + noise(5000, seed=1, level=0.03)
    single = metric(estimate.astype(np.float32), target.astype(np.float32))
    assert single == pytest.approx(metric(estimate, target), abs=1e-4)
    assert isinstance(single, float)


def test_many_snrs_at_once_are_those_of_each(generator):
    target = torch.randn(2, 3, 500, generator=generator, dtype=torch.float64)
    estimate = target + 0.1 * torch.randn(2, 3, 500, generator=generator, dtype=torch.float64)
    found = audio.snr_db(estimate, target)
    assert found.shape == (2, 3)
    alone = audio.snr(estimate[1, 2].numpy(), target[1, 2].numpy())
    assert found[1, 2].item() == pytest.approx(alone)
    silent = torch.zeros(500, dtype=torch.float64)
    assert audio.snr_db(silent, silent, floor=1e-10).item() == 0.0
    assert audio.snr_db(silent + 0.1, silent, floor=1e-10).item() == pytest.approx(-80.0)
