"""Test-time optimisation: a generated INR is fine-tuned on the picture it was written for."""

from hyperdemo.refine.camera import InputCamera, find_camera
from hyperdemo.refine.fit import Refined, refine

__all__ = ["InputCamera", "Refined", "find_camera", "refine"]
