"""The implicit neural representation: its parameters, its encoding and its evaluation."""

from hyperdemo.inr.field import Field, apply, as_field
from hyperdemo.inr.params import InrParams

__all__ = ["Field", "InrParams", "apply", "as_field"]
