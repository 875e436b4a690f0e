"""The generated network as a file of its own: safetensors, with the configuration inside.

The header's metadata holds all that is needed to evaluate the network without this package;
`examples/render_inr.py` does so with nothing but NumPy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import safetensors.torch

from hyperdemo.config import CAMERA_DISTANCE, CAMERA_FOV_DEG, FieldConfig
from hyperdemo.inr.description import Exported, pack, read_description, read_field
from hyperdemo.inr.mlp import check_shapes
from hyperdemo.inr.params import InrParams

FORMAT = "hyperdemo-inr-1"

_RECIPE = (
    "x = [p, sin(f·p), cos(f·p)] with f = pi·2**linspace(0, max_log2_freq, n_freqs), each "
    "coordinate's frequencies together; hidden layers: sqrt(2)·relu(x @ weight + bias); last: "
    "o = x @ weight + bias; density = density_scale·softplus(o[0]), rgb = sigmoid(o[1:4])"
)


def export_inr(
    params: InrParams, config: FieldConfig, *, provenance: Mapping[str, str] | None = None
) -> Exported:
    """Pack one INR with its configuration.

    The file's tensors are `layers.0.weight` `[inputs, outputs]`, `layers.0.bias` `[outputs]`, …

    Args:
        params: a batch of one.
        config: shape and scales of the field.
        provenance: what the network was made from, by which model; kept as it is.

    Raises:
        ValueError: several INRs, or weights that do not fit the configuration.
    """
    if len(params) != 1:
        raise ValueError(f"a single INR expected, got a batch of {len(params)}; choose params[i]")
    check_shapes(params, config.layer_shapes)
    description = {
        "format": FORMAT,
        "field": dataclasses.asdict(config),
        "camera": {"distance": CAMERA_DISTANCE, "fov_deg": CAMERA_FOV_DEG},
        "recipe": _RECIPE,
        "provenance": dict(provenance or {}),
    }
    tensors = {name: tensor[0] for name, tensor in params.tensors().items()}
    return pack(tensors, description)


def load_inr(data: bytes) -> tuple[InrParams, FieldConfig]:
    """Inverse of `export_inr`, as a batch of one in float32.

    Raises:
        ValueError: not such a file, or its weights do not fit its configuration.
    """
    config = read_field(read_description(data, file_format=FORMAT), FieldConfig)
    tensors = safetensors.torch.load(data)
    params = InrParams.from_tensors({name: t.float()[None] for name, t in tensors.items()})
    check_shapes(params, config.layer_shapes)
    return params, config
