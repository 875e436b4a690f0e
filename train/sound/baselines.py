"""What every table of the sound task must beat, and what it cannot: trivial answers, fitted INRs.

- silence: zeros, whatever is asked.
- nearest: each window of a sound replaced by the training window whose spectrogram is most like
  it, at the same loudness. It is clear speech by a real voice, only of other words, and with the
  phase of other words: STOI and SI-SNR, which compare moment by moment, find little of the sound
  in it. Training windows are cut side by side and not tried at other offsets, so it is a
  plain retrieval and not the best that one could do.
- ceiling: INRs of the same shape, each fitted to its stretch of the sound itself.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from hyperdemo.config import SAMPLE_RATE_HZ, SoundFieldConfig
from hyperdemo.inr import InrParams, sound, stretch_plan
from hyperdemo.inr.windows import WindowPlan
from hyperdemo.preprocess.logmel import log_mel
from train.sound.data import SoundSet, every_window

MAX_WINDOWS = 6000
# What is softer than -80 dB of full scale is silence, as it is for the hypernetwork.
_SILENCE_RMS = 1e-4


def silence(heard: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Nothing at all, for as long as the sound lasts."""
    return np.zeros_like(heard)


def spectral_shapes(
    windows: Float[Tensor, "m window"], *, batch: int = 256
) -> Float[Tensor, "m d"]:
    """Log-mel spectrograms with their mean taken out, at unit length.

    A gain adds a constant to a log-mel spectrogram, so loudness does not count. The product of
    two is their cosine, 1 for equal shapes; a window of silence has no shape and is 0.
    """
    parts = []
    for part in windows.split(batch):
        mel = log_mel(part).flatten(1)
        parts.append(normalize(mel - mel.mean(1, keepdim=True)))
    return torch.cat(parts)


class NearestWindow:
    """Answers with training windows that sound most like those of the question.

    Args:
        sounds: to answer with.
        window: samples of a window, the model's.
        overlap: samples over which windows are crossfaded, the model's.
        limit: at most so many training windows are compared; of more, every so manyth.
    """

    def __init__(self, sounds: SoundSet, *, window: int, overlap: int, limit: int = MAX_WINDOWS):
        windows = every_window(sounds, window=window)
        self.windows = windows[:: math.ceil(len(windows) / limit)]
        self.shapes = spectral_shapes(self.windows)
        self.window, self.overlap = window, overlap

    def find(self, windows: Float[Tensor, "w window"]) -> list[int]:
        """For each window, the index of the training window that matches best."""
        return (spectral_shapes(windows) @ self.shapes.T).argmax(1).tolist()

    def answer(self, heard: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """The matches of all windows, each as loud as what it stands for, joined as a model's."""
        plan = WindowPlan.covering(
            len(heard), rate_hz=1, window_s=self.window, overlap_s=self.overlap
        )
        asked = plan.split(torch.from_numpy(heard), rate_hz=1)
        found = self.windows[self.find(asked)]
        gains = _rms(asked) / _rms(found).clamp_min(_SILENCE_RMS)
        return plan.join(found * gains, rate_hz=1, n=len(heard)).numpy()


def fit_sound(
    config: SoundFieldConfig,
    target: Float[Tensor, "k stretch"],
    *,
    steps: int = 100,
    lr: float = 5e-3,
    seed: int = 0,
    batch: int = 40,
) -> InrParams:
    """Fit INRs to stretches of sound by gradient descent: the ceiling.

    Each stretch is fitted at unit RMS and its loudness put back into the last layer, so that soft
    ones are fitted as well as loud ones. The weights are free, without the base weights that
    generated ones share and without their unit norm. Adam works element by element, so that
    fitting many at once is fitting each alone.

    Args:
        config: shape and scales of the field.
        target: stretches at 16 kHz, `config.stretch` samples each.
        steps: of Adam, with a cosine schedule down to 0.
        lr: its first learning rate.
        seed: of the weights that it starts from.
        batch: stretches at once, about 2 MB each.

    Returns:
        k INRs.

    Raises:
        ValueError: the stretches have another length.
    """
    if target.shape[1] != config.stretch:
        raise ValueError(f"stretches of {config.stretch} samples expected, got {target.shape[1]}")
    generator = torch.Generator().manual_seed(seed)
    levels = _rms(target).clamp_min(_SILENCE_RMS)
    parts = [
        _fit(config, part, steps=steps, lr=lr, generator=generator)
        for part in (target / levels).split(batch)
    ]
    weights = [torch.cat(layer) for layer in zip(*(p.weights for p in parts), strict=True)]
    biases = [torch.cat(layer) for layer in zip(*(p.biases for p in parts), strict=True)]
    gains = levels / config.scale
    weights[-1], biases[-1] = weights[-1] * gains[:, None], biases[-1] * gains
    return InrParams(tuple(weights), tuple(biases))


def _fit(
    config: SoundFieldConfig,
    target: Float[Tensor, "k stretch"],
    *,
    steps: int,
    lr: float,
    generator: torch.Generator,
) -> InrParams:
    """INRs whose output, before `config.scale`, is the target of unit RMS."""
    device = target.device
    weights = [
        # Drawn on the CPU, so that every device starts from the same.
        (torch.randn(len(target), i, o, generator=generator) / i**0.5).to(device).requires_grad_()
        for i, o in config.layer_shapes
    ]
    biases = [
        torch.zeros(len(target), o, device=device, requires_grad=True)
        for _, o in config.layer_shapes
    ]
    params = InrParams(tuple(weights), tuple(biases))
    places = stretch_plan(config, 1).coordinates(0, rate_hz=SAMPLE_RATE_HZ)
    seconds = (places[None] * (config.stretch_s / 2)).to(device)
    optimizer = torch.optim.Adam([*weights, *biases], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        error = sound(config, params, seconds) / config.scale - target
        optimizer.zero_grad()
        error.square().mean(1).sum().backward()
        optimizer.step()
        schedule.step()
    return params.detach()


def _rms(windows: Float[Tensor, "m n"]) -> Float[Tensor, "m 1"]:
    return windows.square().mean(1, keepdim=True).sqrt()
