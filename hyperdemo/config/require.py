"""One way to hold a configuration to its rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def require(condition: bool, message: str) -> None:
    """Raise a ValueError with `message` unless the condition holds."""
    if not condition:
        raise ValueError(message)


def require_each(config: object, names: str, allowed: Callable[[Any], bool], what: str) -> None:
    """Raise a ValueError that says what an attribute must do, unless each of some is allowed.

    Args:
        names: of the attributes, with spaces between.
        what: as "be positive".
    """
    for name in names.split():
        value = getattr(config, name)
        require(allowed(value), f"{name} must {what}, got {value!r}")


def at_least(least: int, config: object, names: str) -> None:
    require_each(config, names, lambda value: value >= least, f"be at least {least}")


def not_negative(config: object, names: str) -> None:
    require_each(config, names, lambda value: value >= 0, "not be negative")


def positive(config: object, names: str) -> None:
    require_each(config, names, lambda value: value > 0, "be positive")


def shares(config: object, names: str) -> None:
    require_each(config, names, lambda value: 0 <= value <= 1, "lie in [0, 1]")


def one_of(config: object, name: str, *known: object) -> None:
    words = ", ".join(map(str, known))
    require_each(config, name, lambda value: value in known, f"be one of {words}")
