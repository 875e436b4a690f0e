"""The training objective of the view task: rendered rays against the pictures' own."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams
from hyperdemo.render.rays import ray_loss, render_rays
from train.view.data import RayBatch


def batch_loss(
    config: FieldConfig,
    params: InrParams,
    batch: RayBatch,
    *,
    samples: int,
    alpha_weight: float,
    absolute_weight: float = 0.0,
    generator: torch.Generator,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """`ray_loss` of a training batch."""
    rendering = render_rays(
        config,
        params,
        batch.origins,
        directions=batch.directions,
        samples=samples,
        generator=generator,
    )
    return ray_loss(
        rendering, batch.rgba, alpha_weight=alpha_weight, absolute_weight=absolute_weight
    )
