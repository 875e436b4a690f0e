"""What goes on inside a hypernetwork as it writes the INR of one picture: who looks at what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

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
    n_weight = len(model.heads.weight_tokens())
    n_data = model.encoder.embed(pixels).shape[1]
    with _attention_seen(model.encoder.blocks) as seen:
        written = model.write(pixels)
    # Prompts, where there are any, stand behind and are replaced in every block.
    whole = torch.stack(seen)[:, 0, :, : n_data + n_weight, : n_data + n_weight]
    rows = slice(n_data, n_data + n_weight)
    return Inside(whole[:, :, rows, :n_data], roll_out(whole)[rows, :n_data], written)


def roll_out(attention: Float[Tensor, "l h n n"]) -> Float[Tensor, "n n"]:
    """Attention through several blocks: the mean of the heads and the skip connection, each taken
    for a half, multiplied block after block; rows keep their sums."""
    total = torch.eye(attention.shape[-1], device=attention.device)
    for heads in attention.mean(1):
        total = 0.5 * (heads + torch.eye(len(heads), device=heads.device)) @ total
    return total


@contextmanager
def _attention_seen(blocks: nn.Module) -> Iterator[list[Float[Tensor, "b h n n"]]]:
    """What attends to what in every block, in the order in which they run."""
    seen: list[Tensor] = []

    def keep(attn: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0]
        qkv = attn.qkv(x).unflatten(-1, (3, attn.num_heads, -1)).permute(2, 0, 3, 1, 4)
        q, k = attn.q_norm(qkv[0]), attn.k_norm(qkv[1])
        seen.append((q * attn.scale @ k.transpose(-2, -1)).softmax(-1))

    hooks = [block.attn.register_forward_pre_hook(keep) for block in blocks]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
