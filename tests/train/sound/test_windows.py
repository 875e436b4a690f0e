import math

import pytest
import torch

from hyperdemo.inr import sound_of_stretches
from tests import tiny
from tests.train.sound.test_task import tones
from train.sound.data import draw_windows
from train.sound.windows import measure, model_windows, score_windows


@pytest.fixture(scope="module")
def windows():
    generator = torch.Generator().manual_seed(0)
    return draw_windows(tones(300, 500), count=10, window=3280, generator=generator)


def test_the_scores_by_hand():
    """A tenth of a square wave of ±0.2 is an error of 0.02: 0.01 once samples span [0, 1]."""
    square = 0.2 * torch.tensor([1.0, -1.0]).repeat(2, 50)
    found = score_windows(lambda w: 0.9 * w, square)
    assert found["psnr"] == pytest.approx(40.0, abs=2e-3) and found["psnr_stderr"] < 1e-3
    assert found["snr"] == pytest.approx(20.0, abs=2e-3)


def test_silence_and_a_model_on_the_same_windows(windows):
    model = tiny.sound_model()
    found = measure({"silence": torch.zeros_like, "model": model_windows(model)}, windows)
    # A sine of 6000 / 32768 has its root mean square 3.01 dB below its peak.
    level = 20 * math.log10(6000 / 32768) - 3.0103
    assert (found["windows"], found["window_s"]) == (10, 0.205)
    assert found["level_db"] == pytest.approx(level, abs=0.02)
    silence = found["answers"]["silence"]
    assert silence["psnr"] == pytest.approx(-level + 6.0206, abs=0.02) and silence["snr"] is None
    with torch.no_grad():
        said = sound_of_stretches(tiny.SOUND, model.encode(windows), n_stretches=8)
    snr = 10 * torch.log10(windows.square().sum(1) / (said - windows).square().sum(1))
    assert found["answers"]["model"]["snr"] == pytest.approx(snr.mean().item(), abs=2e-3)
