"""What goes on inside a hypernetwork as it writes the INR of one picture: who looks at what."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperdemo.backbones.sequence import through_blocks
from hyperdemo.inr import ModulatedInrs
from hyperdemo.model import HyperModel


@dataclass(frozen=True)
class Inside:
    """One picture's way through a hypernetwork.

    Attributes:
        attention: of l blocks and h heads, how much of its new value each of m weight tokens draws
            from each of the d data tokens, the class token first and then the patches row by row.
            What is missing to 1 it draws from weight tokens.
        rollout: the same through all blocks together (attention roll-out, Abnar & Zuidema 2020).
        written: the INR.
    """

    attention: Float[Tensor, "l h m d"]
    rollout: Float[Tensor, "m d"]
    written: ModulatedInrs


@torch.no_grad()
def look_inside(model: HyperModel, pixels: Float[Tensor, "1 3 h w"]) -> Inside:
    """Write the INR of a picture and keep who looked at what on the way.

    Args:
        model: of the view task, whose encoder is a ViT.
        pixels: RGB in [0, 1], framed, at the encoder's size.
    """
    blocks, data = model.encoder.blocks, model.encoder.embed(pixels)
    tokens = model.heads.weight_tokens()[None]
    *inputs, _ = through_blocks(blocks, data, tokens, prompts=model.prompts)
    seen = [_attention(b.attn, b.norm1(x)) for b, x in zip(blocks, inputs, strict=True)]
    n_data, n_all = data.shape[1], data.shape[1] + tokens.shape[1]
    whole = torch.cat(seen)[:, :, :n_all, :n_all]  # without prompts, which each block has anew
    rows = slice(n_data, n_all)
    attention, rolled = whole[:, :, rows, :n_data], roll_out(whole)[rows, :n_data]
    return Inside(attention, rolled, model.write(pixels))


def roll_out(attention: Float[Tensor, "l h n n"]) -> Float[Tensor, "n n"]:
    """Attention through several blocks: the mean of the heads and the skip connection, each taken
    for a half, multiplied block after block; rows keep their sums."""
    total = torch.eye(attention.shape[-1], device=attention.device)
    for heads in attention.mean(1):
        total = 0.5 * (heads + torch.eye(len(heads), device=heads.device)) @ total
    return total


def _attention(attn: nn.Module, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b h n n"]:
    """What attends to what in an attention layer of timm."""
    qkv = attn.qkv(x).unflatten(-1, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
    q, k = attn.q_norm(qkv[0]), attn.k_norm(qkv[1])
    return (q * attn.scale @ k.transpose(-2, -1)).softmax(-1)
