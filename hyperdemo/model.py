"""The hypernetwork as a whole: pictures in, the weights of one INR a picture out."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperdemo.backbones import build_vit
from hyperdemo.config import ModelConfig
from hyperdemo.hypernet import WeightHeads
from hyperdemo.inr import InrParams


class HyperModel(nn.Module):
    """Backbone and heads.

    Args:
        config: the named variant.
        pretrained: weights of the backbone, as in `build_vit`; ignored by scratch.
    """

    def __init__(self, config: ModelConfig, *, pretrained: str | Path | bool = False):
        super().__init__()
        self.config = config
        foundation = config.init == "foundation"
        self.encoder = build_vit(config.backbone, pretrained=pretrained if foundation else False)
        self.heads = WeightHeads(self.encoder.dim, config)
        self.prompts = None
        if config.adapt == "prompt":
            shape = (len(self.encoder.vit.blocks), config.n_prompts, self.encoder.dim)
            self.prompts = nn.Parameter(torch.randn(shape) * 0.02)
        if config.adapt != "full":
            self.encoder.requires_grad_(False)

    def encode(self, pixels: Float[Tensor, "b 3 h w"]) -> InrParams:
        """Write the weights of one INR for each picture.

        Args:
            pixels: RGB in [0, 1], framed by `hyperdemo.preprocess` at the encoder's size.

        Returns:
            Weights of b INRs, in float32 whatever the precision of the encoder.
        """
        tokens = self.heads.tokens.expand(len(pixels), -1, -1)
        encoded = self.encoder(pixels, tokens, prompts=self.prompts)
        with torch.autocast(encoded.device.type, enabled=False):
            return self.heads(encoded.float())

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Trainable parameters of the encoder, and those that every variant learns anew."""
        encoder = [p for p in self.encoder.parameters() if p.requires_grad]
        own = list(self.heads.parameters())
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
