"""Frozen, validated configurations and the named variants of the system."""

from hyperdemo.config.backbones import (
    BackboneConfig,
    ConvNetConfig,
    SpectrogramConfig,
    WhisperConfig,
)
from hyperdemo.config.fields import SAMPLE_RATE_HZ, FieldConfig, SoundFieldConfig
from hyperdemo.config.learning import Rates, RayData
from hyperdemo.config.model import (
    ADAPTS,
    COMPOSED_LAYER,
    INITS,
    TASKS,
    ModelConfig,
    Task,
)
from hyperdemo.config.requests import (
    CAMERA_DISTANCE,
    CAMERA_FOV_DEG,
    MAX_RATE_HZ,
    MIN_RATE_HZ,
    SoundRequest,
    ViewRequest,
)

__all__ = [
    "ADAPTS",
    "BackboneConfig",
    "CAMERA_DISTANCE",
    "CAMERA_FOV_DEG",
    "COMPOSED_LAYER",
    "ConvNetConfig",
    "FieldConfig",
    "INITS",
    "MAX_RATE_HZ",
    "MIN_RATE_HZ",
    "ModelConfig",
    "Rates",
    "RayData",
    "SAMPLE_RATE_HZ",
    "SoundFieldConfig",
    "SoundRequest",
    "SpectrogramConfig",
    "TASKS",
    "Task",
    "ViewRequest",
    "WhisperConfig",
]
