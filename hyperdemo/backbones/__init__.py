"""Encoders: media to tokens to encoded tokens, and their pretrained weights."""

from hyperdemo.backbones.vit import VitEncoder, build_vit

__all__ = ["VitEncoder", "build_vit"]
