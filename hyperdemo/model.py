"""The hypernetwork as a whole: pictures or sounds in, the weights of one INR each out."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hyperdemo.backbones import build_encoder
from hyperdemo.config import ModelConfig
from hyperdemo.hypernet import WeightHeads
from hyperdemo.inr import InrParams


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
        self.heads = WeightHeads(self.encoder.dim, config, clock=self._clock())
        self.prompts = None
        if config.adapt == "prompt":
            shape = (self.encoder.n_blocks, config.n_prompts, self.encoder.dim)
            self.prompts = nn.Parameter(torch.randn(shape) * 0.02)
        if config.adapt != "full":
            self.encoder.requires_grad_(False)
            for parameter in self.encoder.new_parameters():
                parameter.requires_grad_(True)

    def _clock(self) -> Float[Tensor, "k d"] | None:
        """Positions of the middles of a window's stretches; None where there is but one INR."""
        k, field = self.config.n_stretches, self.config.field
        if k == 1:
            return None
        hop = float(field.stretch - field.overlap)
        return self.encoder.clock(k, first=field.stretch / 2, step=hop)

    def encode(
        self, media: Float[Tensor, "b ..."], *, stretches: Int[Tensor, " c"] | None = None
    ) -> InrParams:
        """Write the weights of one INR for each picture, or each stretch of each sound.

        Args:
            media: RGB pictures `[b, 3, h, w]` in [0, 1], framed by `hyperdemo.preprocess` at the
                encoder's size; or waveforms `[b, s]` at 16 kHz in [-1, 1], as long as its window.
            stretches: which of the k stretches of each window to write; all if not given.

        Returns:
            Weights of b·k INRs, in float32 whatever the precision of the encoder: one a picture,
            or those of a window's k stretches, or of the chosen ones, in a row.
        """
        tokens = self.heads.weight_tokens().expand(len(media), -1, -1)
        encoded = self.encoder(media, tokens, prompts=self.prompts)
        if stretches is not None:
            by_stretch = encoded.unflatten(1, (self.config.n_stretches, -1))
            encoded = by_stretch[:, stretches].flatten(1, 2)
        with torch.autocast(encoded.device.type, enabled=False):
            return self.heads(encoded.float())

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Trainable parameters of the encoder, and those that every variant learns anew."""
        new = self.encoder.new_parameters()
        is_new = {id(p) for p in new}
        trainable = [p for p in self.encoder.parameters() if p.requires_grad]
        encoder = [p for p in trainable if id(p) not in is_new]
        own = [*new, *self.heads.parameters()]
        if self.prompts is not None:
            own.append(self.prompts)
        return encoder, own

    @property
    def n_trainable(self) -> int:
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def to_pixels(
    framed: Tensor, *, device: torch.device | str = "cpu"
) -> Float[Tensor, "b 3 h w"]:
    """Framed uint8 pictures `[b, h, w, 3]` as the encoder's input in [0, 1]."""
    return framed.to(device).permute(0, 3, 1, 2).float() / 255
