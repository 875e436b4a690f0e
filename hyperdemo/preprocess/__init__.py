"""Arrays to model inputs: objects cut out and framed; sounds cut into windows and joined."""

from hyperdemo.preprocess.frame import composite_on_white, frame_alpha, frame_input
from hyperdemo.preprocess.mask import apply_mask_edit, object_mask, paint
from hyperdemo.preprocess.prepare import Prepared, prepare

__all__ = [
    "Prepared",
    "apply_mask_edit",
    "composite_on_white",
    "frame_alpha",
    "frame_input",
    "object_mask",
    "paint",
    "prepare",
]
