"""The facade: a picture or a sound in, a generator of typed events out."""

from hyperdemo.pipeline.lent import load_sound, load_view
from hyperdemo.pipeline.runtime import MODEL_NAMES, choose_device
from hyperdemo.pipeline.sound import SoundPipeline
from hyperdemo.pipeline.view import ViewPipeline

__all__ = [
    "MODEL_NAMES",
    "SoundPipeline",
    "ViewPipeline",
    "choose_device",
    "load_sound",
    "load_view",
]
