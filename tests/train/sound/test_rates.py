import json
import lzma
import math

import numpy as np
import pytest
import torch

from hyperdemo.checkpoints import LoadedModel, save_checkpoint
from hyperdemo.inr import synthesise
from hyperdemo.metrics import si_snr
from tests import tiny
from tests.train.sound.test_baselines import noises
from tests.train.sound.test_evaluate import write_speech
from train.sound import rates
from train.sound.codecs import Coded, code_pcm
from train.sound.evaluate import model_answer
from train.sound.rates import (
    INR_BITS,
    code_networks,
    code_transformed,
    float16_range,
    measure,
    pack,
    quantise,
    score_coded,
    write,
)
from train.sound.transform import fit_transform, transformed

RATE_HZ = 16_000
FILTER = {"id": lzma.FILTER_LZMA2, "preset": 9, "lc": 0, "lp": 0, "pb": 0}


@pytest.fixture(scope="module")
def loaded():
    return LoadedModel("sound-x", tiny.sound_model(), {})


@pytest.fixture(scope="module")
def heard():
    """More than a window of the tiny model, and no whole number of stretches."""
    return noises(1).sound(0).numpy()[:9_000]


def unpack(packed, *, bits, shape):
    """A decoder of what `pack` makes, in plain Python where it can be."""
    width = 2 if bits == 16 else 1
    data = lzma.decompress(packed[1:], lzma.FORMAT_RAW, filters=[FILTER])
    count = math.prod(shape)
    values = [sum(data[p * count + k] << 8 * p for p in range(width)) for k in range(count)]
    rows = np.array(values).reshape(shape)
    return np.cumsum(rows, axis=0) % 2**bits if packed[0] else rows


def test_what_is_written_is_said_as_the_pipeline_says_it(loaded, heard):
    written = write(loaded, heard)
    said = synthesise(written, rate_hz=RATE_HZ).numpy()
    np.testing.assert_allclose(said, model_answer(loaded)(heard), atol=1e-6)
    assert len(written.inrs) == 23  # every 400 samples, the last at 8800
    assert 22 * 400 < len(heard) <= 23 * 400


@pytest.mark.parametrize("bits", [1, 3, 5, 8])
def test_no_number_moves_by_more_than_half_a_step(bits):
    numbers = np.random.default_rng(bits).normal(3, 20, (50, 7)).astype(np.float32)
    numbers[0, :2] = -64.5, 96.25  # ends that float16 holds
    numbers = numbers.clip(-64.5, 96.25)
    stored, rounded = quantise(numbers, bits=bits)
    half = 160.75 / (2**bits - 1) / 2
    apart = np.abs(rounded - numbers).max()
    assert 0.5 * half < apart <= half * (1 + 1e-6)
    assert rounded[0, 0] == -64.5 and rounded[0, 1] == 96.25
    assert stored.min() == 0 and stored.max() == 2**bits - 1
    assert len(np.unique(rounded)) <= 2**bits and rounded.dtype == np.float32


def test_a_range_holds_all_its_numbers_and_hardly_more():
    for scale in (1e-3, 1.0, 1000.0):
        numbers = (scale * np.random.default_rng(0).normal(size=(99, 1))).astype(np.float32)
        low, high = float16_range(numbers)
        assert low.dtype == high.dtype == np.float16
        assert low <= numbers.min() and numbers.max() <= high
        assert np.nextafter(low, np.float16(np.inf)) > numbers.min()
        assert np.nextafter(high, np.float16(-np.inf)) < numbers.max()


def test_sixteen_bits_are_float16_and_a_constant_stays():
    numbers = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    stored, rounded = quantise(numbers, bits=16)
    assert stored.dtype == np.uint16
    np.testing.assert_array_equal(rounded, torch.from_numpy(numbers).half().float().numpy())
    constant = np.full((5, 3), 1.5, np.float32)
    assert (quantise(constant, bits=4)[1] == 1.5).all()


def test_what_cannot_be_quantised_is_refused():
    numbers = np.ones((2, 2), np.float32)
    for bits in (0, 9, 32):
        with pytest.raises(ValueError, match="1 to 8 bits, or 16, got"):
            quantise(numbers, bits=bits)
    for bits in (8, 16):
        with pytest.raises(ValueError, match="within ±65504"):
            quantise(1e6 * numbers, bits=bits)


@pytest.mark.parametrize("bits", [3, 8, 16])
def test_packed_integers_come_back(bits):
    rng = np.random.default_rng(0)
    dtype = np.uint16 if bits == 16 else np.uint8
    random = rng.integers(0, 2**bits, (40, 30)).astype(dtype)
    base = rng.integers(0, 2**bits, (1, 30))
    slow = ((base + np.arange(40)[:, None]) % 2**bits).astype(dtype)
    for integers in (random, slow):
        found = unpack(pack(integers, bits=bits), bits=bits, shape=(40, 30))
        np.testing.assert_array_equal(found, integers)
    # Differences of what grows evenly are all alike; the numbers themselves are not.
    assert pack(slow, bits=bits)[0] == 1 and len(pack(slow, bits=bits)) < 150 * bits / 8 + 40


def test_bytes_are_those_counted_by_hand(loaded, heard):
    written = write(loaded, heard)
    # 23 stretches; 17, 16 and 16 inputs of the layers, in 4 groups, but the last has one output.
    n_masks = 23 * (4 * 17 + 4 * 16 + 16)
    gains, ranges = 2 * 23, 3 * 4
    for bits, plain in ((16, 2 * n_masks + gains), (8, n_masks + gains + ranges)):
        assert code_networks(written, bits=bits).n_bytes_plain == plain
    coded = code_networks(written, bits=3)
    assert coded.n_bytes_plain == -(-3 * n_masks // 8) + gains + ranges
    integers = np.concatenate(
        [quantise(m.flatten(1).numpy(), bits=3)[0] for m in written.inrs.masks], axis=1
    )
    packed = len(pack(integers, bits=3))
    assert coded.n_bytes == min(packed, -(-3 * n_masks // 8)) + gains + ranges


def test_more_bits_say_it_more_exactly(loaded, heard):
    written = write(loaded, heard)
    truth = synthesise(written, rate_hz=RATE_HZ).numpy()
    ratios = [si_snr(code_networks(written, bits=bits).said, truth) for bits in INR_BITS]
    assert ratios == sorted(ratios, reverse=True) and ratios[0] > 50 and ratios[-1] < 25
    for b in (5, 6):  # 6 dB a bit
        gained = ratios[INR_BITS.index(b)] - ratios[INR_BITS.index(b - 1)]
        assert 3 < gained < 9


def test_gains_are_counted_beside_the_coefficients(loaded, heard):
    written = write(loaded, heard)
    transform = fit_transform(written.config, [written.inrs], probes=4)
    coded = code_transformed(written, transform, step=0.01)
    assert coded.n_bytes == transformed(written.inrs, transform, step=0.01)[1] + 2 * 23
    truth = synthesise(written, rate_hz=RATE_HZ).numpy()
    assert si_snr(coded.said, truth) > si_snr(
        code_transformed(written, transform, step=0.1).said, truth
    )


def test_a_point_is_all_bits_by_all_seconds():
    signals = [noises(2).sound(k).numpy()[: 8_000 * (k + 1)] for k in range(2)]
    coded = [Coded(0.5 * s + 0.01, n, 2 * n) for s, n in zip(signals, (1000, 5000), strict=True)]
    found = measure(signals, coded, with_pesq=False)
    assert found["kbit_s"] == 32.0 and found["kbit_s_plain"] == 64.0  # 48 kbit in 1.5 s
    truth = [si_snr(c.said, s) for c, s in zip(coded, signals, strict=True)]
    assert found["si_snr"] == pytest.approx(np.mean(truth), abs=1e-3)
    assert found["pesq"] is None
    with pytest.raises(ValueError, match="zip"):
        measure(signals, coded[:1], with_pesq=False)


def test_a_perfect_copy_has_no_ratio_to_its_noise():
    signals = [noises(1).sound(0).numpy()]
    found = measure(signals, map(code_pcm, signals), with_pesq=False)
    assert found["si_snr"] is None and found["psnr"] is None and found["kbit_s"] == 256.0
    assert found["stoi"] == pytest.approx(1) and found["lsd"] == 0
    assert found["left_out"] == {"psnr": 1, "si_snr": 1, "pesq": 1}
    assert "kbit_s_plain" not in found
    json.dumps(found, allow_nan=False)


def test_rounding_errors_of_a_perfect_copy_are_no_ratio(monkeypatch):
    monkeypatch.setattr(rates, "score", lambda *_, **__: {"si_snr": 310.0, "lsd": 0.0})
    heard = np.float32([0.5, -0.5])
    copy, other = Coded(heard.copy(), 1), Coded(-heard, 1)
    assert score_coded(copy, heard, with_pesq=False) == {"si_snr": None, "lsd": 0.0}
    assert score_coded(other, heard, with_pesq=False) == {"si_snr": 310.0, "lsd": 0.0}


def test_the_command_writes_all_curves_and_leaves_the_rest(tmp_path, monkeypatch, capsys):
    splits, weights = write_speech(tmp_path), tmp_path / "weights"
    save_checkpoint(tiny.sound_model(), weights, name="sound-foundation", facts={"git": "abc"})
    out = tmp_path / "results.json"
    out.write_text(json.dumps({"view": 1, "sound": {"models": 2}}))
    argv = ["r", "--weights", str(weights), "--speech", str(tmp_path), "--splits", str(splits)]
    monkeypatch.setattr(rates, "INR_BITS", (16, 4))
    monkeypatch.setattr(rates, "STEPS", (0.01,))
    monkeypatch.setattr(rates, "OPUS_KBIT_S", (24,))
    monkeypatch.setattr("sys.argv", [*argv, "--limit", "2", "--fit", "2", "--out", str(out)])
    rates.main()
    results = json.loads(out.read_text())
    assert results["view"] == 1 and results["sound"]["models"] == 2
    found = results["sound"]["rates"]
    assert (found["split"], found["prompts"], found["seconds"]) == ("test", 2, 1.2)
    assert (found["model"], found["git"]) == ("foundation", "abc") and found["reading"]
    assert {n: len(points) for n, points in found["curves"].items()} == {
        "INR": 2, "INR, transformed": 1, "Opus": 1, "PCM": 2
    }  # fmt: skip
    assert [point["bits"] for point in found["curves"]["INR"]] == [16, 4]
    for point in found["curves"]["INR"]:
        assert point["kbit_s"] <= point["kbit_s_plain"] and "stoi_stderr" in point
    assert [point["kbit_s"] for point in found["curves"]["PCM"]] == [256.0, 128.0]
    assert "Opus, 24 kbit/s asked" in capsys.readouterr().out
