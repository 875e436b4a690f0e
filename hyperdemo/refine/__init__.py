"""Refinement at test time: a generated INR is fitted on to the picture that it was written for."""

from hyperdemo.refine.camera import InputCamera, find_camera
from hyperdemo.refine.fit import Refined, refine

__all__ = ["InputCamera", "Refined", "find_camera", "refine"]
