"""The hypernetwork as a whole: pictures or sounds in, the weights of one INR each out."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hyperdemo.backbones import add_low_rank, build_encoder
from hyperdemo.config import ModelConfig
from hyperdemo.hypernet import build_heads
from hyperdemo.inr import InrParams, ModulatedInrs

LOUDNESS_RMS = 0.1
"""RMS at which the encoder reads a window of sound, that of speech at -20 dBFS."""


class HyperModel(nn.Module):
    """Backbone and heads.

    Args:
        config: the named variant.
        pretrained: weights of the backbone, as in `build_encoder`; ignored by scratch.
    """

    def __init__(self, config: ModelConfig, *, pretrained: str | Path | bool = False):
        super().__init__()
        self.config = config
        foundation = config.init == "foundation"
        self.encoder = build_encoder(
            config.backbone, pretrained=pretrained if foundation else False
        )
        self.heads = build_heads(self.encoder.dim, config, clock=self._clock())
        self.prompts = None
        if config.adapt == "prompt":
            shape = (len(self.encoder.blocks), config.n_prompts, self.encoder.dim)
            self.prompts = nn.Parameter(torch.randn(shape) * 0.02)
        self._additions: list[nn.Parameter] = []
        if config.adapt != "full":
            self.encoder.requires_grad_(False)
            if config.adapt == "lora":
                self._additions = add_low_rank(self.encoder.blocks, rank=config.lora_rank)
            for parameter in self.encoder.new_parameters():
                parameter.requires_grad_(True)

    def _clock(self) -> Float[Tensor, "k d"] | None:
        """Positions of the middles of a window's stretches; None where there is only one."""
        k, field = self.config.n_stretches, self.config.field
        if k == 1:
            return None
        hop = float(field.stretch - field.overlap)
        return self.encoder.clock(k, first=field.stretch / 2, step=hop)

    def encode(
        self, media: Float[Tensor, "b ..."], *, stretches: Int[Tensor, " c"] | None = None
    ) -> InrParams:
        """The weights of the INRs that `write` gives."""
        return self.write(media, stretches=stretches).params()

    def write(
        self, media: Float[Tensor, "b ..."], *, stretches: Int[Tensor, " c"] | None = None
    ) -> ModulatedInrs:
        """Generate one INR per picture, or per stretch of each sound.

        The encoder reads every window of sound at the same loudness, and the INRs get the
        window's own back as a gain: twice the sound is twice the answer.

        Args:
            media: RGB pictures `[b, 3, h, w]` in [0, 1], framed by `hyperdemo.preprocess` at the
                encoder's size; or waveforms `[b, s]` at 16 kHz in [-1, 1], as long as its window.
            stretches: which of the k stretches of each window; all if not given.

        Returns:
            b·k INRs, those of one input in a row, in float32 whatever the encoder's precision.
        """
        gains = None
        if self.config.task == "sound":
            media, gains = at_one_loudness(media)
        tokens = self.heads.weight_tokens().expand(len(media), -1, -1)
        encoded = self.encoder(media, tokens, prompts=self.prompts)
        if stretches is not None:
            by_stretch = encoded.unflatten(1, (self.config.n_stretches, -1))
            encoded = by_stretch[:, stretches].flatten(1, 2)
        with torch.autocast(encoded.device.type, enabled=False):
            written = self.heads(encoded.float())
        if gains is not None:
            written = written.louder(gains.repeat_interleave(len(written) // len(gains)))
        return written

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Trainable parameters of the encoder, and those that every variant learns anew."""
        new = [*self.encoder.new_parameters(), *self._additions]
        is_new = {id(p) for p in new}
        trainable = [p for p in self.encoder.parameters() if p.requires_grad]
        encoder = [p for p in trainable if id(p) not in is_new]
        prompts = [] if self.prompts is None else [self.prompts]
        return encoder, [*new, *self.heads.parameters(), *prompts]

    @property
    def n_trainable(self) -> int:
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def to_pixels(framed: Tensor, *, device: torch.device | str = "cpu") -> Float[Tensor, "b 3 h w"]:
    """Framed uint8 pictures `[b, h, w, 3]` as the encoder's input in [0, 1]."""
    return framed.to(device).permute(0, 3, 1, 2).float() / 255


def at_one_loudness(
    windows: Float[Tensor, "b s"],
) -> tuple[Float[Tensor, "b s"], Float[Tensor, " b"]]:
    """Windows of sound at an RMS of 0.1 (-20 dBFS), and the gains that restore their own.

    Windows below -80 dBFS count as silence, so that the amplification stays within 60 dB.
    """
    level = windows.square().mean(1).sqrt().clamp_min(1e-4)
    gains = level / LOUDNESS_RMS
    return windows / gains[:, None], gains
