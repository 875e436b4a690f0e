"""Vision Transformers of timm as encoders of picture and weight tokens together."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from hyperdemo.backbones.pretrained import (
    create,
    load_strict,
    open_layer_scales,
    read_weights,
)
from hyperdemo.backbones.sequence import run_blocks
from hyperdemo.config import BackboneConfig


class VitEncoder(nn.Module):
    """A ViT that reads a picture's patches and extra tokens in one sequence.

    Attributes:
        dim: width of the tokens.
    """

    def __init__(self, vit: VisionTransformer, *, mean: Tensor, std: Tensor):
        super().__init__()
        self.vit = vit
        self.dim: int = vit.embed_dim
        self.register_buffer("mean", mean.view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", std.view(1, 3, 1, 1), persistent=False)

    @property
    def blocks(self) -> nn.Module:
        return self.vit.blocks

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that no pretrained file holds: none."""
        return []

    def embed(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """Class and patch tokens with their position embedding; pixels are RGB in [0, 1]."""
        tokens = self.vit.patch_embed((pixels - self.mean) / self.std)
        return self.vit.norm_pre(self.vit.patch_drop(self.vit._pos_embed(tokens)))

    def forward(
        self,
        pixels: Float[Tensor, "b 3 h w"],
        extra: Float[Tensor, "b m d"],
        *,
        prompts: Float[Tensor, "l p d"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Encoder outputs at the extra tokens; for these and the prompts see `run_blocks`.

        Args:
            pixels: RGB in [0, 1] at the encoder's own size.

        Raises:
            ValueError: pixels of another size, or prompts for another number of blocks.
        """
        expected = tuple(self.vit.patch_embed.img_size)
        if tuple(pixels.shape[-2:]) != expected:
            raise ValueError(f"pictures of {expected} pixels expected, got {pixels.shape[-2:]}")
        out = run_blocks(self.vit.blocks, self.embed(pixels), extra, prompts=prompts)
        return self.vit.norm(out)


def build_vit(config: BackboneConfig, *, pretrained: str | Path | bool = False) -> VitEncoder:
    """A ViT by timm's name, with random or pretrained weights.

    Args:
        config: which ViT, at which input size, with how many blocks.
        pretrained: False for random weights; True for timm's own from the hub (or its cache); a
            safetensors file in timm's naming otherwise. The position table is resampled to the
            input size (antialiased bicubic). A file must match exactly in everything else; the
            hub's weights are loaded as timm does, which drops a classifier without a word.

    Raises:
        ValueError: no such timm model, no plain ViT, a size that is no multiple of the patch, or
            weights that do not fit.
        NoWeights: a file that is not there, or a hub that cannot be reached.
    """
    vit = _create(config, hub=pretrained is True)
    if isinstance(pretrained, str | Path):
        _load_strict(vit, Path(pretrained))
    elif not pretrained:
        open_layer_scales(vit)
    cfg = vit.pretrained_cfg
    if config.depth is not None:
        if config.depth > len(vit.blocks):
            raise ValueError(f"{config.name} has {len(vit.blocks)} blocks, not {config.depth}")
        vit.blocks = vit.blocks[: config.depth]
    return VitEncoder(vit, mean=torch.tensor(cfg["mean"]), std=torch.tensor(cfg["std"]))


def _create(config: BackboneConfig, *, hub: bool) -> VisionTransformer:
    options = {"img_size": config.image_size, **config.overrides}
    vit = create(config.name, hub=hub, options=options)
    if not isinstance(vit, VisionTransformer):
        raise ValueError(f"{config.name!r} is a {type(vit).__name__}; a plain ViT is expected")
    patch = vit.patch_embed.patch_size[0]
    if config.image_size % patch:
        raise ValueError(f"image_size {config.image_size} is no multiple of the patch, {patch}")
    return vit


def _load_strict(vit: VisionTransformer, path: Path) -> None:
    remedy = (
        "`python -m train.sources.dinov2` makes DINOv2's, and `pretrained=True` takes timm's own "
        "from the hub"
    )
    state = read_weights(path, remedy=remedy)
    table = state.get("pos_embed")
    if table is not None and table.shape != vit.pos_embed.shape:
        state["pos_embed"] = resample_abs_pos_embed(
            table, new_size=list(vit.patch_embed.grid_size), num_prefix_tokens=vit.num_prefix_tokens
        )
    load_strict(vit, state, path=path)
