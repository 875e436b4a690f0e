"""hyperdemo: a pretrained Transformer writes the weights of a small network, and shows it at work.

The package is layered, in the order of ``LAYERS`` in ``tests/test_structure.py``: each module
imports only from layers before its own. Importing this package imports none of them.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
