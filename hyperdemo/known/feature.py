"""What a model's encoder makes of a picture as a whole: one direction, to compare pictures by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from hyperdemo.backbones.sequence import through_blocks
from hyperdemo.model import HyperModel

TOKENS: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType(
    {"class": lambda tokens: tokens[:, 0], "patches": lambda tokens: tokens[:, 1:].mean(1)}
)
"""What may stand for the picture: the class token, or the mean of the patches."""
TOKEN = "class"
"""By it 40 % of the views of 251 new objects of known kinds found, among the means of 3,147 objects
of training, one of their own class, and 37 % by the patches. Several features per object instead of
their mean found 41 %, at as many times the size. Without the weight tokens in the sequence, in a
small sample, no more. By the patches 97 % of noise is far, by the class token 53 %. All with an
earlier pair; weights/known.md says how the shipped one does."""


@torch.no_grad()
def picture_feature(model: HyperModel, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
    """The output at `TOKEN`, of unit length.

    A pass of its own, some tens of milliseconds on a CPU: of the pass that writes the networks
    nothing comes out but these, and it may be shared with other requests.

    Args:
        model: of the view task, whose encoder is a ViT.
        pixels: RGB in [0, 1], framed, at the encoder's size.
    """
    return F.normalize(TOKENS[TOKEN](picture_tokens(model, pixels)), dim=-1)


@torch.no_grad()
def picture_tokens(model: HyperModel, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
    """The encoder's normalised outputs at the class token and the patches, row by row.

    The weight tokens stand beside them as they do when networks are written: that is what the
    encoder was fine-tuned for.
    """
    data = model.encoder.embed(pixels)
    tokens = model.heads.weight_tokens().expand(len(pixels), -1, -1)
    *_, last = through_blocks(model.encoder.blocks, data, tokens, prompts=model.prompts)
    return model.encoder.vit.norm(last[:, : data.shape[1]])
