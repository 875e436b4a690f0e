"""The sound task on a stand-in for a GPU: the CPU's own numbers come back."""

import dataclasses

import numpy as np
import pytest
import torch

from hyperdemo.checkpoints import LoadedModel
from tests import gpu, tiny
from tests.train.sound.test_baselines import noises
from tests.train.sound.test_task import config_of
from train.config import SoundData
from train.loop import train
from train.sound.evaluate import ceiling_answer, model_answer
from train.sound.task import SoundTask
from train.sound.windows import model_windows

CPU = torch.device("cpu")


def on_both(compute):
    """What `compute` gives of a device: the CPU's result, and the stand-in's."""
    expected = compute(CPU)
    with gpu.stand_in() as device:
        return expected, compute(device)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_training(tmp_path, precision):
    # The stand-in cannot take gradients through the views of complex numbers that an STFT has.
    data = SoundData(stretches=3, spectral_weight=0.0)
    config = dataclasses.replace(config_of(steps=2, eval_every=1, data=data), precision=precision)

    def trained(device):
        task = SoundTask(config, noises(3), noises(2), device=device)
        state = train(config, task, out=tmp_path / device.type, device=device)
        return state.average.heads.tokens.cpu(), task.score(state.average)["val_snr"]

    (tokens, snr), (found, again) = on_both(trained)
    np.testing.assert_allclose(found.tolist(), tokens.tolist(), atol=2e-3)
    assert again == pytest.approx(snr, abs=0.05)


def test_answers():
    heard = noises(1, seconds=0.4).sound(0).numpy()

    def answers(device):
        model = tiny.sound_model().requires_grad_(False).to(device)
        said = model_answer(LoadedModel("sound-x", model, {}))(heard)
        fitted = ceiling_answer(model.config, steps=2, device=device)(heard)
        return said, fitted, model_windows(model)(torch.from_numpy(heard[None, :3280])).numpy()

    for expected, found in zip(*on_both(answers), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
