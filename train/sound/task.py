"""The sound task: windows of sound in, their waveform fields out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.backbones.sequence import emphasised
from hyperdemo.config import SAMPLE_RATE_HZ, SoundFieldConfig
from hyperdemo.inr import sound_of_stretches
from hyperdemo.metrics import stoi
from hyperdemo.metrics.audio import snr_db
from hyperdemo.model import HyperModel
from train.config import SoundData, TrainConfig
from train.sound.augment import MAX_SPEED, augmented
from train.sound.data import SoundSet, draw_windows, load_sounds, split_ids
from train.sound.objective import EMPHASIS, FFT_SIZES, spectral_loss, waveform_loss
from train.subsets import some_of

N_SCORED = 48  # validation windows, the same for every run


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
        self.n_stretches = config.model.n_stretches
        self.hop = self.field.stretch - self.field.overlap
        run = self.data.stretches * self.hop + self.field.overlap
        if run < FFT_SIZES[-1]:
            raise ValueError(
                f"at least {FFT_SIZES[-1]} samples a step expected, for the longest spectrum of "
                f"the loss, got {run} with data.stretches={self.data.stretches}"
            )
        self.train_sounds = train_sounds.to(device)
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
        if data.format == "shards":
            from train.cluster.streaming import StreamedSoundTask  # on packages for that alone

            return StreamedSoundTask.load(config, device=device)
        kept = some_of(split_ids(data, "train"), config.train_share)
        train_sounds, val_sounds = (
            load_sounds(data, ids) for ids in (kept, split_ids(data, "val"))
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

        The encoder reads whole windows; heads and field are run for `data.stretches` consecutive
        stretches, drawn anew for each step.
        """
        data = self.data
        windows = draw_windows(
            self.train_sounds,
            count=self.config.batch,
            window=round(self.window * MAX_SPEED) if data.augment else self.window,
            flip=data.flip,
            generator=generator,
        )
        if data.augment:
            windows = augmented(
                windows, window=self.window, share=data.augment, generator=generator
            )
        spare = self.n_stretches - data.stretches
        first = int(torch.randint(spare + 1, (), device=generator.device, generator=generator))
        chosen = torch.arange(first, first + data.stretches, device=self.device)
        half = self.config.precision == "bf16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            params = model.encode(windows, stretches=chosen)
            estimate = sound_of_stretches(self.field, params, n_stretches=data.stretches).float()
        start = first * self.hop
        target = windows[:, start : start + estimate.shape[1]]
        loss = waveform_loss(estimate, target)
        if data.emphasised_weight:
            raised = (emphasised(wave, EMPHASIS) for wave in (estimate, target))
            loss = loss + data.emphasised_weight * waveform_loss(*raised)
        if data.spectral_weight:
            loss = loss + data.spectral_weight * spectral_loss(estimate, target)
        return loss, {"snr": snr_db(estimate.detach(), target, floor=1e-10).mean()}

    @torch.no_grad()
    def score(self, model: HyperModel) -> dict[str, float]:
        """Signal-to-noise ratio in dB, spectral error and STOI on the validation windows."""
        model.eval()
        estimates = []
        for part in self.val_windows.split(8):
            params = model.encode(part.to(self.device))
            estimates.append(
                sound_of_stretches(self.field, params, n_stretches=self.n_stretches).cpu()
            )
        estimate, target = torch.cat(estimates), self.val_windows
        # One after another: a window alone may hold too little speech for STOI.
        heard = (w.flatten().numpy() for w in (estimate, target))
        return {
            "val_snr": snr_db(estimate, target, floor=1e-10).mean().item(),
            "val_spectral": spectral_loss(estimate, target).item(),
            "val_stoi": stoi(*heard, rate_hz=SAMPLE_RATE_HZ) or 0.0,
        }
