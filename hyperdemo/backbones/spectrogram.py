"""A vision model that hears: a ViT over the log-mel spectrogram as a picture."""

from __future__ import annotations

from pathlib import Path

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from hyperdemo.backbones.sequence import check_window, patch_embedding, tie
from hyperdemo.backbones.vit import build_vit
from hyperdemo.backbones.whisper import sinusoids
from hyperdemo.config.backbones import MEL_TOKEN, SpectrogramConfig
from hyperdemo.preprocess.logmel import log_mel

_SPAN = 2.0  # a window's log-mel values span at most this
_TOKEN_SCALE = 0.15  # of weight tokens beside a ViT's patches; clock and patches start at it


class SpectrogramVit(nn.Module):
    """A ViT that sees a window's log-mel spectrogram, with patches of the waveform tied in.

    A picture has no phase, so the waveform comes to the weight tokens as it does for Whisper.

    Args:
        config: which ViT, and which windows it is shown.
        pretrained: weights of the ViT, as in `build_vit`.

    Attributes:
        dim: width of the tokens.
    """

    def __init__(self, config: SpectrogramConfig, *, pretrained: str | Path | bool = False):
        super().__init__()
        self.config = config
        self.eye = build_vit(config.vit, pretrained=pretrained)
        self.dim: int = self.eye.dim
        self.patch_embed = patch_embedding(config.patch, self.dim, rms=_TOKEN_SCALE)

    @property
    def blocks(self) -> nn.Module:
        return self.eye.blocks

    def clock(self, k: int, *, first: float, step: float) -> Float[Tensor, "k d"]:
        """Positions of the samples first, first + step, … of a window."""
        table = sinusoids(k, self.dim, step=step / MEL_TOKEN, start=first / MEL_TOKEN)
        return _TOKEN_SCALE * table

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that no pretrained file holds."""
        return list(self.patch_embed.parameters())

    def picture(self, wave: Float[Tensor, "b s"]) -> Float[Tensor, "b 3 h w"]:
        """The spectrogram in grey as the ViT takes it, low pitch below, the loudest white.

        Raises:
            ValueError: a window of another length.
        """
        check_window(wave, self.config.window)
        mel = log_mel(wave, n_mels=self.config.n_mels).flip(1)
        bright = (mel - mel.amax(dim=(1, 2), keepdim=True)) / _SPAN + 1
        side = self.config.vit.image_size
        grey = F.interpolate(bright[:, None], size=(side, side), mode="bilinear", antialias=True)
        return grey.clamp(0, 1).expand(-1, 3, -1, -1)

    def forward(
        self,
        wave: Float[Tensor, "b s"],
        extra: Float[Tensor, "b m d"],
        *,
        prompts: Float[Tensor, "l p d"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Encoder outputs at the extra tokens, of which each patch has a run of equal length."""
        picture = self.picture(wave)
        patches = self.patch_embed(wave.unfold(1, self.config.patch, self.config.patch_hop))
        return self.eye(picture, tie(extra, patches), prompts=prompts)
