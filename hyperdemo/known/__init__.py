"""What the models practised on: which of these objects a picture is nearest to, and how far."""

from hyperdemo.known.feature import picture_feature, picture_tokens
from hyperdemo.known.objects import KnownObjects, Nearest, find_known, load_known, save_known

__all__ = [
    "KnownObjects",
    "Nearest",
    "find_known",
    "load_known",
    "picture_feature",
    "picture_tokens",
    "save_known",
]
