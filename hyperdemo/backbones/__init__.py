"""Encoders: media to tokens to encoded tokens, and their pretrained weights."""

from hyperdemo.backbones.build import build_encoder
from hyperdemo.backbones.convnet import ConvNetEncoder, build_convnet
from hyperdemo.backbones.lora import add_low_rank
from hyperdemo.backbones.pretrained import NoWeights
from hyperdemo.backbones.spectrogram import SpectrogramVit
from hyperdemo.backbones.vit import VitEncoder, build_vit
from hyperdemo.backbones.whisper import WhisperEncoder, build_whisper

__all__ = [
    "ConvNetEncoder",
    "NoWeights",
    "SpectrogramVit",
    "VitEncoder",
    "WhisperEncoder",
    "add_low_rank",
    "build_convnet",
    "build_encoder",
    "build_vit",
    "build_whisper",
]
