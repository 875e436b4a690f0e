"""One builder of all encoders, by their configuration."""

from __future__ import annotations

from pathlib import Path

from hyperdemo.backbones.vit import VitEncoder, build_vit
from hyperdemo.backbones.whisper import WhisperEncoder, build_whisper
from hyperdemo.config import BackboneConfig, WhisperConfig

Encoder = VitEncoder | WhisperEncoder


def build_encoder(
    config: BackboneConfig | WhisperConfig, *, pretrained: str | Path | bool = False
) -> Encoder:
    """The encoder of a configuration, with random or pretrained weights.

    Raises:
        ValueError: as `build_vit` and `build_whisper` do.
    """
    if isinstance(config, WhisperConfig):
        return build_whisper(config, pretrained=pretrained)
    return build_vit(config, pretrained=pretrained)
