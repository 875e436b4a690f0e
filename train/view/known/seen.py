"""Views of objects, and pictures of none, as a model's encoder sees them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor
from tqdm import tqdm

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.known.feature import TOKENS, picture_tokens
from hyperdemo.model import to_pixels
from hyperdemo.preprocess import frame_input
from train.config import ViewData
from train.view.data import load_views, packed_folder

PART = 64
"""Objects whose views are in memory at once."""
NOISE_SCALES, NOISE_EACH = (1, 2, 4, 8, 16, 32), 10


@dataclass(frozen=True)
class Seen:
    """What the encoder makes of v views of n objects.

    Attributes:
        kinds: class of each object.
        features: by the name of the token, of unit length.
        typical: of each object the view nearest to the mean of its views, at the encoder's size.
    """

    kinds: tuple[str, ...]
    features: Mapping[str, Float[Tensor, "n v d"]]
    typical: tuple[UInt8[np.ndarray, "s s 3"], ...] = ()

    def means(self, token: str) -> Float[Tensor, "n d"]:
        """Of the views of each object, of unit length."""
        return F.normalize(self.features[token].mean(1), dim=-1)


@torch.no_grad()
def features_of(
    loaded: LoadedModel, framed: UInt8[Tensor, "n s s 3"], *, batch: int = 32
) -> dict[str, Float[Tensor, "n d"]]:
    """What every token of `TOKENS` says of framed pictures, of unit length, on the CPU."""
    device = next(loaded.model.parameters()).device
    parts = [
        picture_tokens(loaded.model, to_pixels(some, device=device)) for some in framed.split(batch)
    ]
    return {
        name: torch.cat([F.normalize(take(part), dim=-1).cpu() for part in parts])
        for name, take in TOKENS.items()
    }


def see(
    loaded: LoadedModel,
    parts: Iterator[UInt8[Tensor, "n v s s 3"]],
    *,
    kinds: Sequence[str],
    token: str,
) -> Seen:
    """Encode the views of objects, some objects at a time; `token` says which view is typical."""
    found: list[dict[str, Tensor]] = []
    typical = []
    for framed in parts:
        flat = features_of(loaded, framed.flatten(0, 1))
        found.append({name: f.unflatten(0, framed.shape[:2]) for name, f in flat.items()})
        views = found[-1][token]
        nearest = (views @ views.mean(1)[..., None]).squeeze(-1).argmax(1).tolist()
        typical += [framed[k, view].numpy() for k, view in enumerate(nearest)]
    joined = {name: torch.cat([part[name] for part in found]) for name in TOKENS}
    return Seen(tuple(kinds), joined, tuple(typical))


def framed_views(
    data: ViewData, ids: Sequence[str], *, classes: Mapping[str, str], size: int, n_views: int
) -> Iterator[UInt8[Tensor, "n v s s 3"]]:
    """Some views of each object, spread round it, as the model reads them; some objects at a time.

    Where training has left the decoded views they are read from there.
    """
    there = packed_folder(data, ids, input_size=size).is_dir()
    data = replace(data, packed=there)
    whole = load_views(data, ids, classes=dict(classes), input_size=size) if there else None
    for start in tqdm(range(0, len(ids), PART), unit="part", disable=None):
        some = ids[start : start + PART]
        if whole is None:
            framed = load_views(data, some, classes=dict(classes), input_size=size).framed
        else:
            framed = whole.framed[start : start + PART]
        every = torch.arange(n_views) * framed.shape[1] // n_views
        yield framed[:, every]


def random_pictures(size: int, *, seed: int = 0) -> UInt8[Tensor, "n s s 3"]:
    """Pictures of nothing: coloured noise, from pixel by pixel to soft gradients."""
    rng = np.random.default_rng(seed)
    pictures = []
    for scale in NOISE_SCALES:
        for _ in range(NOISE_EACH):
            side = max(2, size // scale)
            noise = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
            whole = cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC)
            rgba = np.dstack([whole, np.full((size, size), 255, np.uint8)])
            pictures.append(frame_input(rgba, size=size))
    return torch.from_numpy(np.stack(pictures))
