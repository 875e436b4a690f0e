"""Arrays to model inputs: cut the object out, crop it, scale it, put it on white."""

from hyperdemo.preprocess.frame import composite_on_white, frame_input
from hyperdemo.preprocess.mask import apply_mask_edit, object_mask, paint
from hyperdemo.preprocess.prepare import Prepared, prepare

__all__ = [
    "Prepared",
    "apply_mask_edit",
    "composite_on_white",
    "frame_input",
    "object_mask",
    "paint",
    "prepare",
]
