"""The file of a hypernetwork's inside, read back as its description says."""

import gzip
import json
import math

import numpy as np
import pytest
import torch

from hyperdemo.inside import look_inside
from hyperdemo.ui.inside.packed import pack_inside
from tests import tiny


def read(packed: bytes) -> tuple[dict, dict]:
    data = gzip.decompress(packed)
    length = int.from_bytes(data[:4], "little")
    header, at, arrays = json.loads(data[4 : 4 + length]), 4 + length, {}
    for name, dtype, shape in header["arrays"]:
        assert at % 4 == 0
        count = math.prod(shape)
        arrays[name] = np.frombuffer(data, dtype, count, at).reshape(shape)
        at += -(-count * np.dtype(dtype).itemsize // 4) * 4
    assert at == len(data)
    return header, arrays


def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (28, 28, 3)).astype(np.uint8)


def test_everything_comes_back():
    model, framed = tiny.model(), picture()
    pixels = torch.from_numpy(framed).permute(2, 0, 1)[None] / 255
    inside = look_inside(model, pixels)
    with torch.no_grad():
        other = model.write(1 - pixels)
    header, arrays = read(pack_inside(model.config, framed, inside, other=other))
    np.testing.assert_array_equal(arrays["picture"], framed)
    np.testing.assert_allclose(arrays["attention"] / 65535, inside.attention, atol=1e-5)
    np.testing.assert_array_equal(arrays["rollout"], inside.rollout)
    for layer in range(3):
        np.testing.assert_array_equal(arrays[f"base{layer}"], model.heads.base[layer].detach())
        np.testing.assert_array_equal(arrays[f"bias{layer}"], model.heads.biases[layer].detach())
        np.testing.assert_array_equal(arrays[f"mask{layer}"], inside.written.masks[layer][0])
        np.testing.assert_array_equal(arrays[f"other{layer}"], other.masks[layer][0])
    assert header["densityScale"] == model.config.field.density_scale and header["unitOutput"]
    assert header["freqs"][0] == pytest.approx(math.pi) and len(header["freqs"]) == 4


def test_networks_of_another_make_are_refused():
    model = tiny.model(biases="generated")
    inside = look_inside(model, torch.rand(1, 3, 28, 28))
    with pytest.raises(ValueError, match="only networks written as masks"):
        pack_inside(model.config, picture(), inside)
