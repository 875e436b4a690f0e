"""hyperdemo: a pretrained Transformer writes the weights of a small network, and shows it at work.

The package is layered, in the order of ``LAYERS`` in ``tests/test_structure.py``: each module
imports only from layers before its own. Importing this package imports none of them; what it
exports is imported when it is asked for.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

__all__ = ["__version__", "photo_to_inr", "picture"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.program"), name)
