"""Whether a stranger could name what a view shows: its nearest true picture by DINOv2.

Of each novel view the nearest neighbour is sought among true pictures of all held-out objects, but
for those that were shown and those that are asked for. It may be of the same object, or at least
of the same class. Truth itself, named in this way, gives the ceiling.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.backbones import VitEncoder
from hyperdemo.learn.views import ViewSet
from train.view.answers import choose_cases
from train.view.baselines import over_white, pixels_for, whole_features

NAMED = ("named", "named_class")
"""Of a row, beside its metrics: shares of the views that are named rightly."""


@dataclass(frozen=True)
class Gallery:
    """Pictures whose object and class are known.

    Attributes:
        features: of unit length.
        objects, classes: of each picture.
    """

    features: Float[Tensor, "n d"]
    objects: tuple[str, ...]
    classes: tuple[str, ...]

    @classmethod
    def joined(cls, parts: Iterable[Gallery]) -> Gallery:
        """All pictures of several galleries."""
        parts = list(parts)
        return cls(
            torch.cat([part.features for part in parts]),
            tuple(name for part in parts for name in part.objects),
            tuple(name for part in parts for name in part.classes),
        )

    def name(self, features: Float[Tensor, "t d"], *, name: str, kind: str) -> dict[str, float]:
        """Shares of the views that are taken for the right object, and for one of its class."""
        nearest: Sequence[int] = (features @ self.features.T).argmax(1).tolist()
        return {
            "named": sum(self.objects[k] == name for k in nearest) / len(nearest),
            "named_class": sum(self.classes[k] == kind for k in nearest) / len(nearest),
        }


def gallery_of(views: ViewSet, encoder: VitEncoder) -> Gallery:
    """The true pictures of a split that no case shows or asks for."""
    parts = []
    for case in choose_cases(views):
        used = {case.source, *case.targets}
        rest = [view for view in range(views.rgba.shape[1]) if view not in used]
        pictures = pixels_for(encoder, over_white(views.rgba[case.obj, rest].numpy()))
        names = ((of[case.obj],) * len(rest) for of in (views.ids, views.classes))
        parts.append(Gallery(whole_features(encoder, pictures), *names))
    return Gallery.joined(parts)


def truth_named(views: ViewSet, encoder: VitEncoder, gallery: Gallery) -> dict[str, float | int]:
    """The ceiling of naming: the true targets themselves."""
    rows = []
    for case in choose_cases(views):
        truth = over_white(views.rgba[case.obj, list(case.targets)].numpy())
        found = whole_features(encoder, pixels_for(encoder, truth))
        name, kind = views.ids[case.obj], views.classes[case.obj]
        rows.append(gallery.name(found, name=name, kind=kind))
    means = {key: float(np.mean([row[key] for row in rows])) for key in NAMED}
    return means | {"objects": len(rows)}
