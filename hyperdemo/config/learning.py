"""What learning from posed pictures of objects takes, whoever does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from hyperdemo.config.require import at_least, not_negative, one_of, shares


@dataclass(frozen=True)
class RayData:
    """What a step of training draws from posed pictures, and what it is held to.

    Attributes:
        targets: "any" view may be a target, from where it was taken; or "input", the input picture
            alone, as if taken from azimuth 0 and a usual elevation, so that no label is used.
        target_views: views of each object that rays are drawn from.
        rays: rays per target view.
        samples: stratified samples per ray.
        near_share: share of the rays drawn on or close to the object; the rest fall anywhere.
        mirror: share of the objects per step that are mirrored left to right, input and target.
        recolour: share of the objects per step whose colour channels are permuted.
        tone: largest logarithm of the gamma by which an object's exposure is changed, input and
            target.
        photographed: share of the inputs that are framed off-centre, blurred and noisy.
        alpha_weight: weight of the error of the opacity beside that of the colour.
        absolute_weight: weight of absolute errors beside the squared ones. A squared error is
            least at the mean of what may be there, which is fog, an absolute one at the median.
    """

    targets: Literal["any", "input"] = "any"
    target_views: int = 4
    rays: int = 64
    samples: int = 32
    near_share: float = 0.5
    mirror: float = 0.5
    recolour: float = 0.0
    tone: float = 0.0
    photographed: float = 0.0
    alpha_weight: float = 0.5
    absolute_weight: float = 0.0

    def __post_init__(self) -> None:
        one_of(self, "targets", "any", "input")
        at_least(1, self, "target_views rays samples")
        shares(self, "near_share mirror recolour photographed")
        not_negative(self, "alpha_weight absolute_weight tone")


@dataclass(frozen=True)
class Rates:
    """How fast the parts of a hypernetwork learn.

    Attributes:
        lr: peak learning rate of AdamW for all but the encoder: tokens, heads, base weights.
        lr_heads: peak learning rate of Muon, which then takes the matrices of heads and base
            weights from AdamW; 0 leaves them to AdamW.
        lr_backbone: peak learning rate of the encoder.
        weight_decay: of AdamW, on matrices only.
        clip: largest norm of the gradient.
    """

    lr: float = 2e-4
    lr_heads: float = 0.0
    lr_backbone: float = 5e-5
    weight_decay: float = 0.05
    clip: float = 1.0
