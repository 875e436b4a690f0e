"""Arrays to model inputs: cut the object out, crop it, scale it, put it on white."""

from hyperdemo.preprocess.frame import frame_input

__all__ = ["frame_input"]
