"""Arrays to model inputs: objects cut out and framed; sounds cut into windows and joined."""

from hyperdemo.preprocess.frame import composite_on_white, frame_alpha, frame_input
from hyperdemo.preprocess.mask import OTHERS, Other, paint
from hyperdemo.preprocess.prepare import Prepared, prepare

__all__ = [
    "OTHERS",
    "Other",
    "Prepared",
    "composite_on_white",
    "frame_alpha",
    "frame_input",
    "paint",
    "prepare",
]
