"""What the race learns from: small pictures of objects, and what two frozen encoders make of them.

A folder holds `views.webp`, a row of lossless tiles per object; `inputs.webp`, a tile per object;
and `tokens.safetensors`: the encoded tokens as bytes about their mean over all pictures, the
cameras, and what belongs to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from hyperdemo.config import ModelConfig
from hyperdemo.learn.views import ViewSet, turns_to_front
from hyperdemo.preprocess.frame import composite_on_white

PICTURES, INPUTS, TOKENS = "views.webp", "inputs.webp", "tokens.safetensors"
WEBP_MAX_DIMENSION = 16383
ARMS = ("pretrained", "random")


@dataclass(frozen=True)
class RaceData:
    """Objects to learn from and to be scored on.

    Attributes:
        config: of the hypernetwork, whose encoder is frozen.
        views: of n objects; `framed` are the views over white.
        inputs: of each object the first picture that the encoders saw, for people.
        tokens: of each arm, what its encoder gives at the m weight tokens for the first k views.
    """

    config: ModelConfig
    views: ViewSet
    inputs: UInt8[Tensor, "n s s 3"]
    tokens: Mapping[str, Float[Tensor, "n k m d"]]


def save_race(data: RaceData, folder: Path) -> None:
    """Write the three files of a folder, which is made where it is not there.

    Raises:
        ValueError: more objects than have room in a WebP picture, one below the other.
    """
    most = WEBP_MAX_DIMENSION // max(data.views.size, data.inputs.shape[1])
    if len(data.views) > most:
        raise ValueError(f"at most {most} objects expected, got {len(data.views)}")
    folder.mkdir(parents=True, exist_ok=True)
    views = data.views
    n, v, size = views.rgba.shape[:3]
    sheet = views.rgba.permute(0, 2, 1, 3, 4).reshape(n * size, v * size, 4)
    Image.fromarray(sheet.numpy()).save(
        folder / PICTURES, lossless=True, quality=20, method=1, exact=True
    )
    Image.fromarray(data.inputs.flatten(0, 1).numpy()).save(folder / INPUTS, quality=90)
    tensors = {"poses": views.poses.float()}
    for arm, tokens in data.tokens.items():
        mean = tokens.mean((0, 1))
        scale = ((tokens - mean).abs().amax(-1, keepdim=True) / 127).clamp_min(1e-8)
        rest = ((tokens - mean) / scale).round().to(torch.int8)
        tensors |= {f"{arm}.mean": mean, f"{arm}.scale": scale, f"{arm}.rest": rest}
    about = {
        "ids": views.ids, "classes": views.classes, "fov_deg": views.fov_deg,
        "config": data.config.to_dict(),
    }  # fmt: skip
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, folder / TOKENS, metadata={"race": json.dumps(about)})


def load_race(folder: Path) -> RaceData:
    """Read the folder.

    Raises:
        ValueError: it is not there, or does not hold what `save_race` wrote.
    """
    try:
        with safe_open(folder / TOKENS, framework="pt") as file:
            about = json.loads(file.metadata()["race"])
            stored = {name: file.get_tensor(name) for name in file.keys()}
        sheet = np.asarray(Image.open(folder / PICTURES).convert("RGBA"))
        inputs = np.asarray(Image.open(folder / INPUTS).convert("RGB"))
        n, poses = len(about["ids"]), stored["poses"]
        size, v = len(sheet) // n, poses.shape[1]
        rgba = sheet.reshape(n, size, v, size, 4).transpose(0, 2, 1, 3, 4).copy()
        tokens = {
            arm: stored[f"{arm}.mean"] + stored[f"{arm}.scale"] * stored[f"{arm}.rest"]
            for arm in ARMS
        }
    except (OSError, SafetensorError, KeyError) as error:
        raise ValueError(f"{folder} does not hold the data of a race: {error}") from error
    views = ViewSet(
        ids=tuple(about["ids"]),
        classes=tuple(about["classes"]),
        rgba=torch.from_numpy(rgba),
        framed=torch.from_numpy(np.rint(composite_on_white(rgba)).astype(np.uint8)),
        poses=poses,
        turns=turns_to_front(poses),
        fov_deg=about["fov_deg"],
    )
    shown = torch.from_numpy(inputs.reshape(n, -1, *inputs.shape[1:]).copy())
    return RaceData(ModelConfig.from_dict(about["config"]), views, shown, tokens)
