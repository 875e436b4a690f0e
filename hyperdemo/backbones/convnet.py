"""ConvNets of timm as encoders: their feature map joins the weight tokens in a small Transformer.

A ConvNet has no place for extra tokens. Its last feature map is projected to tokens with learned
positions, and a few Transformer blocks, new in every variant, carry them to the weight tokens.
"""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from hyperdemo.backbones.pretrained import (
    create,
    load_strict,
    open_layer_scales,
    read_weights,
)
from hyperdemo.backbones.sequence import run_blocks
from hyperdemo.config import ConvNetConfig


class ConvNetEncoder(nn.Module):
    """A ConvNet that reads a picture, and Transformer blocks that read its features.

    Args:
        config: which ConvNet, at which input size, and the blocks behind it.
        net: of timm, without its classifier.

    Attributes:
        dim: width of the tokens.

    Raises:
        ValueError: a network that gives no feature map.
    """

    def __init__(self, config: ConvNetConfig, net: nn.Module):
        super().__init__()
        self.config, self.net, self.dim = config, net, config.dim
        side = config.image_size
        self.register_buffer("mean", _channels(net, "mean"), persistent=False)
        self.register_buffer("std", _channels(net, "std"), persistent=False)
        with torch.no_grad():
            found = net.eval()(torch.zeros(1, 3, side, side))
        if found.ndim != 4 or found.shape[1] != net.num_features:
            raise ValueError(
                f"{config.name!r} is a {type(net).__name__}, whose features are no map of channels "
                "first; a ConvNet such as a ConvNeXt or a ResNet is expected"
            )
        self.project = nn.Linear(net.num_features, config.dim)
        positions = torch.randn(found.shape[2] * found.shape[3], config.dim)
        self.positions = nn.Parameter(0.02 * positions)
        self.blocks = nn.Sequential(
            *(Block(config.dim, config.n_heads, qkv_bias=True) for _ in range(config.n_blocks))
        )
        self.norm = nn.LayerNorm(config.dim, eps=1e-6)

    def train(self, mode: bool = True) -> ConvNetEncoder:
        """As `nn.Module.train`; a frozen ConvNet keeps the statistics of its batch norms."""
        super().train(mode)
        self.net.train(mode and any(p.requires_grad for p in self.net.parameters()))
        return self

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that no pretrained file holds: all but the ConvNet's own."""
        parts = (self.project, self.blocks, self.norm)
        return [self.positions, *(p for part in parts for p in part.parameters())]

    def embed(self, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
        """A token per place of the feature map, row by row; pixels are RGB in [0, 1].

        Raises:
            ValueError: pixels of another size than the encoder's.
        """
        side = self.config.image_size
        if tuple(pixels.shape[-2:]) != (side, side):
            raise ValueError(
                f"pictures of {(side, side)} pixels expected, got {tuple(pixels.shape[-2:])}"
            )
        features = self.net((pixels - self.mean) / self.std)
        return self.project(features.flatten(2).transpose(1, 2)) + self.positions

    def forward(
        self,
        pixels: Float[Tensor, "b 3 h w"],
        extra: Float[Tensor, "b m d"],
        *,
        prompts: Float[Tensor, "l p d"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Encoder outputs at the extra tokens; for these and the prompts see `run_blocks`.

        Raises:
            ValueError: as of `embed`, or prompts for another number of blocks.
        """
        return self.norm(run_blocks(self.blocks, self.embed(pixels), extra, prompts=prompts))


def build_convnet(
    config: ConvNetConfig, *, pretrained: str | Path | bool = False
) -> ConvNetEncoder:
    """A ConvNet by timm's name, with random or pretrained weights; what follows it is random.

    Args:
        config: which ConvNet, at which input size, and the blocks behind it.
        pretrained: False for random weights; True for timm's own from the hub (or its cache); a
            safetensors file in timm's naming, without the classifier, otherwise.

    Raises:
        ValueError: no such timm model, one without a feature map, or weights that do not fit.
        NoWeights: a file that is not there, or a hub that cannot be reached.
    """
    # Without pooling a network of timm's gives the map behind its last norm.
    options = {"global_pool": "", **config.overrides}
    net = create(config.name, hub=pretrained is True, options=options)
    if isinstance(pretrained, str | Path):
        remedy = "give a safetensors file in timm's naming, or take timm's own from the hub"
        load_strict(net, read_weights(Path(pretrained), remedy=remedy), path=Path(pretrained))
    elif not pretrained:
        open_layer_scales(net)
    return ConvNetEncoder(config, net)


def _channels(net: nn.Module, key: str) -> Tensor:
    return torch.tensor(net.pretrained_cfg[key]).view(1, 3, 1, 1)
