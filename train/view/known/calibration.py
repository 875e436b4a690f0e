"""How far is far, and how well that and the tokens do; and the words that say so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from hyperdemo.known import KnownObjects
from hyperdemo.known.feature import TOKENS
from hyperdemo.known.objects import FAR_QUANTILE, FREE
from train.view.known.seen import NOISE_SCALES, Seen

KNOWN_KINDS = ("test", "test-models")
"""Splits of new objects of kinds that are trained on."""
WORDS = {
    "test": "new furniture of known kinds",
    "test-models": "new models of known kinds",
    "unseen": "kinds that were held out",
    "random": "random pictures of no object",
}


def distances(
    views: Float[Tensor, "n v d"], means: Float[Tensor, "k d"]
) -> Float[np.ndarray, " nv"]:
    """From each view to the nearest of the means: 1 - cosine."""
    return (1 - (views.flatten(0, 1) @ means.T).amax(1)).double().numpy()


def own_kind(seen: Seen, known: Seen, token: str) -> float:
    """Share of the views whose nearest object of training is of their object's class."""
    views = seen.features[token]
    nearest = (views @ known.means(token).T).argmax(-1).tolist()
    hits = [
        known.kinds[k] == kind for kind, row in zip(seen.kinds, nearest, strict=True) for k in row
    ]
    return float(np.mean(hits))


def beyond(seen: Seen, known: Seen, token: str, threshold: float) -> float:
    """Share of the views that are farther from all of training than the threshold."""
    return float((distances(seen.features[token], known.means(token)) > threshold).mean())


def calibrate(
    known: Seen, held: Mapping[str, Seen], nothing: Seen, *, token: str
) -> dict[str, Any]:
    """The threshold, and how well both it and the tokens do.

    Args:
        known: the objects of training.
        held: new objects, by split.
        nothing: pictures of no object.
    """
    of_known = [held[name].features[token] for name in KNOWN_KINDS if name in held]
    away = np.concatenate([distances(views, known.means(token)) for views in of_known])
    threshold = float(np.quantile(away, FAR_QUANTILE))
    return {
        "token": token,
        "threshold": round(threshold, 4),
        "distances": {q: round(float(np.quantile(away, q / 100)), 4) for q in (5, 50, 95)},
        "own_kind": {
            name: {
                split: round(own_kind(held[split], known, name), 3)
                for split in KNOWN_KINDS
                if split in held
            }
            for name in TOKENS
        },
        "beyond": {
            split: round(beyond(seen, known, token, threshold), 3)
            for split, seen in {**held, "random": nothing}.items()
        },
    }


def card(known: KnownObjects, facts: Mapping[str, Any]) -> str:
    """What stands in weights/known.md."""
    shares = ", ".join(f"{WORDS[name]} {share:.0%}" for name, share in facts["beyond"].items())
    own = "; ".join(
        f"{name} {' and '.join(f'{share:.0%} ({split})' for split, share in found.items())}"
        for name, found in facts["own_kind"].items()
    )
    shown = sum(picture is not None for picture in known.thumbnails)
    return f"""# known

The {len(known):,} objects of training of `{facts["splits_file"]}` as `view-foundation` sees
them: of each the mean feature of {facts["views_each"]} views, its name, class and licence, and of
the {shown:,} that are in the public domain ({FREE}) a thumbnail. Made by
`python -m train.view.known`.

**Use.** The page tells a visitor which of them a picture is nearest to, and whether it is farther
than {FAR_QUANTILE:.0%} of the views of new objects of known kinds: a cosine distance of more than
{known.threshold:.3f}.

**Results.** Views beyond that distance: {shares}.
The nearest object is of the view's own class, by the token that is compared ({facts["token"]} is
used): {own}.

**Limits.** Far says that the models have little to go by, not that they fail; near does not say
that they do well. Random pictures are noise at {len(NOISE_SCALES)} scales.

**Checkpoint.** {known.checkpoint}
"""
