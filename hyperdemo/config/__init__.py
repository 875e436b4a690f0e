"""Frozen, validated configurations and the named variants of the system."""

from hyperdemo.config.backbones import WHISPER_RATE_HZ, BackboneConfig, WhisperConfig
from hyperdemo.config.fields import FieldConfig, SoundFieldConfig
from hyperdemo.config.model import ADAPTS, INITS, TASKS, Adapt, Init, ModelConfig, Task
from hyperdemo.config.requests import CAMERA_DISTANCE, CAMERA_FOV_DEG, ViewRequest

__all__ = [
    "ADAPTS",
    "Adapt",
    "BackboneConfig",
    "CAMERA_DISTANCE",
    "CAMERA_FOV_DEG",
    "FieldConfig",
    "INITS",
    "Init",
    "ModelConfig",
    "SoundFieldConfig",
    "TASKS",
    "Task",
    "ViewRequest",
    "WHISPER_RATE_HZ",
    "WhisperConfig",
]
