"""One builder of all encoders, by their configuration."""

from __future__ import annotations

from pathlib import Path

from hyperdemo.backbones.spectrogram import SpectrogramVit
from hyperdemo.backbones.vit import VitEncoder, build_vit
from hyperdemo.backbones.whisper import WhisperEncoder, build_whisper
from hyperdemo.config import BackboneConfig, SpectrogramConfig, WhisperConfig


def build_encoder(
    config: BackboneConfig | WhisperConfig | SpectrogramConfig,
    *,
    pretrained: str | Path | bool = False,
) -> VitEncoder | WhisperEncoder | SpectrogramVit:
    """The encoder of a configuration, with random or pretrained weights.

    Raises:
        ValueError: as `build_vit` and `build_whisper` do.
    """
    if isinstance(config, WhisperConfig):
        return build_whisper(config, pretrained=pretrained)
    if isinstance(config, SpectrogramConfig):
        return SpectrogramVit(config, pretrained=pretrained)
    return build_vit(config, pretrained=pretrained)
