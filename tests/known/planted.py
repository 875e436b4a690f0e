"""Objects of training whose features are planted, and a picture file for each."""

import io

import numpy as np
from PIL import Image

from hyperdemo.checkpoints import fingerprint
from hyperdemo.known import KnownObjects


def webp(shade=120):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, 90, 40)).save(buffer, "WEBP")
    return buffer.getvalue()


def unit(features):
    return features / np.linalg.norm(features, axis=-1, keepdims=True)


def known_objects(features=None, *, model=None, **changes):
    """Some objects, every third of which has no thumbnail."""
    if features is None:
        features = unit(np.random.default_rng(3).normal(size=(5, 12)).astype(np.float32))
    n = len(features)
    values = dict(
        features=features,
        names=tuple(f"thing {k}" for k in range(n)),
        kinds=tuple("chair plant other".split()[k % 3] for k in range(n)),
        licences=tuple("CC0 1.0" if k % 3 else "CC BY 3.0" for k in range(n)),
        thumbnails=tuple(webp(40 * k) if k % 3 else None for k in range(n)),
        threshold=0.3,
        checkpoint=fingerprint(model) if model is not None else "abc",
    )
    return KnownObjects(**values | changes)
