"""Memory that nobody uses goes back to the system."""

from __future__ import annotations

import ctypes


def trim_memory() -> bool:
    """Give free memory back; only glibc needs to be told, elsewhere nothing happens.

    Each thread takes memory from an arena of its own, where a freed array stays with the process as
    long as anything behind it is in use: after some hundred requests by many threads that is more
    than what is used at all.

    Returns:
        Whether some was given back.

    Source: malloc_trim(3).
    """
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):  # macOS, Windows, musl
        return False
    return bool(trim(0))
