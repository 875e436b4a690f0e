"""hyperdemo: a pretrained Transformer writes the weights of a small network, and shows it at work.

The package is layered; each module imports only what stands above it here: ``config``,
``metrics``, ``media``, ``preprocess``, ``inr``, ``render``, ``backbones``, ``hypernet``,
``model``, ``checkpoints``, ``pipeline``, ``ui``. Importing this package imports none of them.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
