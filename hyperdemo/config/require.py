"""One way to hold a configuration to its rules."""

from __future__ import annotations


def require(condition: bool, message: str) -> None:
    """Raise a ValueError with `message` unless the condition holds."""
    if not condition:
        raise ValueError(message)
