"""One sequence of data tokens, extra tokens and prompts; patches of a waveform among them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

WAVE_RMS = 0.1
"""Root mean square of speech and music at -20 dBFS."""


def run_blocks(
    blocks: nn.Module,
    data: Float[Tensor, "b n d"],
    extra: Float[Tensor, "b m d"],
    *,
    prompts: Float[Tensor, "l p d"] | None = None,
) -> Float[Tensor, "b m d"]:
    """Outputs of the last of l Transformer blocks at the extra tokens.

    Args:
        blocks: run in order.
        data: tokens of the picture or sound.
        extra: tokens appended to them, without a position embedding: they are learned, and may
            learn it.
        prompts: learned tokens that stand in the sequence of each block and are replaced at the
            next (deep visual prompt tuning, Jia et al. 2022).

    Raises:
        ValueError: prompts for another number of blocks.
    """
    (out,) = deque(through_blocks(blocks, data, extra, prompts=prompts), maxlen=1)
    return out[:, data.shape[1] : data.shape[1] + extra.shape[1]]


def through_blocks(
    blocks: nn.Module,
    data: Float[Tensor, "b n d"],
    extra: Float[Tensor, "b m d"],
    *,
    prompts: Float[Tensor, "l p d"] | None = None,
) -> Iterator[Float[Tensor, "b t d"]]:
    """What each block reads, in order, then what the last one gives; arguments as `run_blocks`.

    Data tokens come first, extra tokens next, prompts last.
    """
    if prompts is not None and len(prompts) != len(blocks):
        raise ValueError(f"prompts for {len(blocks)} blocks expected, got {len(prompts)}")
    x = torch.cat([data, extra], dim=1)
    length = x.shape[1]
    for index, block in enumerate(blocks):
        if prompts is not None:
            x = torch.cat([x[:, :length], prompts[index].expand(len(x), -1, -1)], dim=1)
        yield x
        x = block(x)
    yield x


def patch_embedding(patch: int, dim: int, *, rms: float) -> nn.Linear:
    """A map from patches of a waveform to tokens, which start at this root mean square."""
    embedding = nn.Linear(patch, dim)
    nn.init.normal_(embedding.weight, std=rms / (WAVE_RMS * math.sqrt(patch)))
    nn.init.zeros_(embedding.bias)
    return embedding


def emphasised(wave: Float[Tensor, "... s"], emphasis: float) -> Float[Tensor, "... s"]:
    """A waveform, or patches of one, with high frequencies raised: pre-emphasis, invertible.

    The whitening of noise whose neighbouring samples correlate as strongly as `emphasis` says: its
    samples become independent and keep their variance. Above 4 kHz speech has a hundredth of its
    power; unraised, a linear map learns the rest first.
    """
    if not emphasis:
        return wave
    rest = (wave[..., 1:] - emphasis * wave[..., :-1]) / math.sqrt(1 - emphasis**2)
    return torch.cat([wave[..., :1], rest], dim=-1)


def tie(extra: Float[Tensor, "b m d"], patches: Float[Tensor, "b p d"]) -> Float[Tensor, "b m d"]:
    """Patches added to the extra tokens, which come in p equal runs, one per patch.

    Raises:
        ValueError: extra tokens that do not divide into p runs.
    """
    n_patches = patches.shape[1]
    if extra.shape[1] % n_patches:
        raise ValueError(
            f"extra tokens in {n_patches} equal runs expected, one a patch, got {extra.shape[1]}"
        )
    return (extra.unflatten(1, (n_patches, -1)) + patches[:, :, None]).flatten(1, 2)


def check_window(wave: Float[Tensor, "b s"], window: int) -> None:
    """Raise `ValueError` unless waveforms have the length of the window, in samples."""
    if wave.shape[-1] != window:
        raise ValueError(
            f"windows of {window} samples expected, got {wave.shape[-1]}; cut or pad the sound"
        )
