"""The implicit neural representation: its parameters, its encoding and its evaluation."""

from hyperdemo.inr.params import InrParams
from hyperdemo.inr.radiance import Field, apply, as_field
from hyperdemo.inr.sound import sound

__all__ = ["Field", "InrParams", "apply", "as_field", "sound"]
