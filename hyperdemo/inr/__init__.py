"""The implicit neural representation: its parameters, its encoding and its evaluation."""

from hyperdemo.inr.modulation import ModulatedInrs
from hyperdemo.inr.params import InrParams
from hyperdemo.inr.radiance import Field, apply, as_field
from hyperdemo.inr.sound import sound, sound_of_stretches, stretch_plan
from hyperdemo.inr.written import WrittenSound, stretch_waves, synthesise

__all__ = [
    "Field",
    "InrParams",
    "ModulatedInrs",
    "WrittenSound",
    "apply",
    "as_field",
    "sound",
    "sound_of_stretches",
    "stretch_plan",
    "stretch_waves",
    "synthesise",
]
