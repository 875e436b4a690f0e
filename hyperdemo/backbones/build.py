"""One builder of all encoders, by their configuration."""

from __future__ import annotations

from pathlib import Path

from hyperdemo.backbones.convnet import ConvNetEncoder, build_convnet
from hyperdemo.backbones.spectrogram import SpectrogramVit
from hyperdemo.backbones.vit import VitEncoder, build_vit
from hyperdemo.backbones.whisper import WhisperEncoder, build_whisper
from hyperdemo.config import BackboneConfig, ConvNetConfig, SpectrogramConfig, WhisperConfig


def build_encoder(
    config: BackboneConfig | ConvNetConfig | WhisperConfig | SpectrogramConfig,
    *,
    pretrained: str | Path | bool = False,
) -> VitEncoder | ConvNetEncoder | WhisperEncoder | SpectrogramVit:
    """The encoder of a configuration, with random or pretrained weights.

    Raises:
        ValueError: as `build_vit`, `build_convnet` and `build_whisper` do.
    """
    if isinstance(config, WhisperConfig):
        return build_whisper(config, pretrained=pretrained)
    if isinstance(config, SpectrogramConfig):
        return SpectrogramVit(config, pretrained=pretrained)
    if isinstance(config, ConvNetConfig):
        return build_convnet(config, pretrained=pretrained)
    return build_vit(config, pretrained=pretrained)
