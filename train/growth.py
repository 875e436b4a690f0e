"""A trained model of sound whose field gets higher frequencies, and goes on from what it knew.

Left to itself it would not learn them. Trained base weights are thirty times as large as those that
training starts from, so that small new ones wait for thousands of steps; and what no training
needed passes the patch embedding weakly, beside all else in a token. Both start here at the size of
what is there.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

from hyperdemo.backbones.sequence import emphasised
from hyperdemo.config import SAMPLE_RATE_HZ, ModelConfig, SoundFieldConfig, WhisperConfig
from hyperdemo.inr.sound import angular_frequencies
from hyperdemo.model import HyperModel

GAIN = 5.0
"""From a patch, emphasised if it is, to a token, along new frequencies: that of old ones, from the
patch as it is, in the model of `sound-wide`."""


def may_grow(config: ModelConfig, into: ModelConfig) -> bool:
    """Whether a model of one configuration grows into one of another.

    They differ in frequencies on top, none between, and may differ in the emphasis of patches.
    A token must have dimensions for a sine and a cosine of each frequency.
    """
    old, new, backbone = config.field, into.field, into.backbone
    if not (isinstance(old, SoundFieldConfig) and isinstance(new, SoundFieldConfig)):
        return False
    if not (isinstance(config.backbone, WhisperConfig) and isinstance(backbone, WhisperConfig)):
        return False
    if backbone.inputs == "mel":
        return False
    higher = dataclasses.replace(old, n_freqs=new.n_freqs, max_freq_hz=new.max_freq_hz)
    heard = dataclasses.replace(config.backbone, emphasis=backbone.emphasis)
    return (
        dataclasses.replace(config, field=higher, backbone=heard) == into
        and old.n_freqs < new.n_freqs
        and 2 * new.n_freqs <= min(backbone.dim, backbone.patch)
        and torch.allclose(angular_frequencies(old), angular_frequencies(new)[: old.n_freqs])
    )


@torch.no_grad()
def grow(model: HyperModel, into: ModelConfig) -> HyperModel:
    """The same model with the frequencies of another configuration.

    What it writes for the frequencies that it had stays, but for the share of each column's norm
    that new ones take, and for what they change in its tokens. Base weights of new frequencies are
    of the size of the old ones; their masks start at random and, beside trained ones, small.

    Args:
        model: trained.
        into: a configuration into which its own `may_grow`.

    Raises:
        ValueError: it may not.
    """
    if not may_grow(model.config, into):
        raise ValueError(
            "a model of sound grows only into one with higher frequencies at the same distance, "
            "two numbers of a token for each, and all else alike but emphasis; "
            f"got {into.field} after {model.config.field}"
        )
    n, more = model.config.field.n_freqs, into.field.n_freqs
    # The field's inputs are time, all sines, all cosines.
    kept = torch.cat([torch.arange(n + 1), torch.arange(more + 1, more + 1 + n)])
    grown = HyperModel(into)
    base, size = grown.heads.base[0], model.heads.base[0].square().mean().sqrt()
    base.copy_(torch.randn(base.shape) * size)
    grown.heads.heads[0][1].bias.zero_()
    own = grown.state_dict()
    for name, value in model.state_dict().items():
        if own[name].shape == value.shape:
            own[name].copy_(value)
        else:
            own[name][kept] = value
    grown.encoder.patch_embed.weight.copy_(_listening(model, into))
    return grown


def _listening(model: HyperModel, into: ModelConfig) -> Float[Tensor, "d s"]:
    """Weights of the patch embedding that pass on the new frequencies as well.

    In training, the old ones take as many dimensions of a token as they have sines and cosines;
    the new ones get those along which least was passed on.
    """
    n, patch = model.config.field.n_freqs, into.backbone.patch
    weight = model.encoder.patch_embed.weight
    eye = torch.eye(patch)
    before, after = (emphasised(eye, c.backbone.emphasis).T for c in (model.config, into))
    angles = torch.arange(patch)[:, None] / SAMPLE_RATE_HZ * angular_frequencies(into.field)[n:]
    waves = torch.linalg.qr(torch.cat([angles.sin(), angles.cos()], dim=1)).Q
    free = torch.linalg.svd(weight @ before).U[:, -waves.shape[1] :]
    # What reads emphasised patches undoes that first.
    return weight @ before @ torch.linalg.inv(after) + GAIN * free @ waves.T
