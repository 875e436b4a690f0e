"""The audio task: windows of sound in, their waveform fields out."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from hyperdemo.config import SAMPLE_RATE_HZ, ModelConfig, SoundFieldConfig
from hyperdemo.inr import InrParams, sound
from hyperdemo.model import HyperModel
from train.config import SoundData, TrainConfig
from train.data import some_of
from train.sound_data import SoundSet, draw_windows, load_speech
from train.sound_objective import FFT_SIZES, spectral_loss, waveform_loss
from train.speech_splits import read_speech_split

N_SCORED = 48  # validation windows, the same for every run


def stretch_samples(config: ModelConfig) -> Int[Tensor, "k n"]:
    """Which samples of a window each of its k stretches holds."""
    field = config.field
    starts = torch.arange(config.n_stretches) * (field.stretch - field.overlap)
    return starts[:, None] + torch.arange(field.stretch)


def stretch_seconds(config: SoundFieldConfig) -> Float[Tensor, " n"]:
    """Times of a stretch's samples in seconds from its middle, which lies between two samples."""
    n = config.stretch
    return (torch.arange(n) + 0.5 - n / 2) / SAMPLE_RATE_HZ


class SoundTask:
    """What a training asks of its data: a loss to step on and a score to watch.

    Args:
        config: of the run; its `data` is a `SoundData`.
        train_sounds: prompts to learn from, all of them used.
        val_sounds: prompts to score on.
        device: where the sounds live and the model runs.

    Raises:
        ValueError: stretches shorter than the longest spectrum that is compared.
    """

    def __init__(
        self,
        config: TrainConfig,
        train_sounds: SoundSet,
        val_sounds: SoundSet,
        *,
        device: torch.device,
    ):
        assert isinstance(config.data, SoundData)
        assert isinstance(config.model.field, SoundFieldConfig)
        self.config, self.data, self.device = config, config.data, device
        self.field: SoundFieldConfig = config.model.field
        self.window = config.model.backbone.window
        if self.field.stretch < FFT_SIZES[-1]:
            raise ValueError(
                f"stretches of at least {FFT_SIZES[-1]} samples expected, for the longest "
                f"spectrum of the score, got model.field.stretch={self.field.stretch}"
            )
        self.train_sounds = train_sounds.to(device)
        self.places = stretch_samples(config.model).to(device)
        self.seconds = stretch_seconds(self.field).to(device)
        self.val_windows = draw_windows(
            val_sounds,
            count=N_SCORED,
            window=self.window,
            generator=torch.Generator().manual_seed(0),
        )

    @classmethod
    def load(cls, config: TrainConfig, *, device: torch.device) -> SoundTask:
        """Read the speech of a configuration.

        Raises:
            ValueError: speech that has not been fetched.
        """
        data = config.data
        kept = some_of(read_speech_split(data.splits_file, "train"), config.train_share)
        train_sounds, val_sounds = (
            load_speech(data.speech_dir, ids)
            for ids in (kept, read_speech_split(data.splits_file, "val"))
        )
        return cls(config, train_sounds, val_sounds, device=device)

    @property
    def facts(self) -> dict[str, int]:
        """What a result must say of its data."""
        return {"train_prompts": len(self.train_sounds)}

    def loss(
        self, model: HyperModel, *, generator: torch.Generator
    ) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """Objective of random windows, and what else is worth a look, as scalars.

        The encoder reads whole windows; heads and field, which cost as much, are run for
        `data.stretches` of the stretches, drawn anew for each step.
        """
        data = self.data
        windows = draw_windows(
            self.train_sounds,
            count=self.config.batch,
            window=self.window,
            gain_db=data.gain_db,
            flip=data.flip,
            generator=generator,
        )
        order = torch.randperm(len(self.places), generator=generator, device=self.device)
        chosen = order[: data.stretches]
        half = self.config.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            params = model.encode(windows, stretches=chosen)
        target = windows[:, self.places[chosen]].flatten(0, 1)
        estimate = self._listen(params)
        loss = waveform_loss(estimate, target, scale=self.field.scale)
        if data.spectral_weight:
            loss = loss + data.spectral_weight * spectral_loss(estimate, target)
        return loss, {"snr": _snr(estimate.detach(), target).mean()}

    def _listen(self, params: InrParams) -> Float[Tensor, "b n"]:
        """Waveforms of all INRs."""
        return sound(self.field, params, self.seconds.expand(len(params), -1))

    @torch.no_grad()
    def score(self, model: HyperModel) -> dict[str, float]:
        """Signal-to-noise ratio in dB and spectral error on the validation windows."""
        model.eval()
        ratios, errors = [], []
        for part in self.val_windows.split(8):
            windows = part.to(self.device)
            target = windows[:, self.places].flatten(0, 1)
            estimate = self._listen(model.encode(windows))
            ratios.append(_snr(estimate, target))
            errors.append(spectral_loss(estimate, target).repeat(len(target)))
        return {
            "val_snr": torch.cat(ratios).mean().item(),
            "val_spectral": torch.cat(errors).mean().item(),
        }


def _snr(estimate: Float[Tensor, "b n"], target: Float[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """Energy of each target over that of its error, in dB; silence counts as −100 dBFS."""
    signal = target.square().mean(1).clamp_min(1e-10)
    noise = (estimate - target).square().mean(1).clamp_min(1e-10)
    return 10 * torch.log10(signal / noise)
