import json

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from hyperdemo.config import FieldConfig
from hyperdemo.inr import as_field
from hyperdemo.inr.export import export_inr, load_inr
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.quadrature import render_view
from tests import tiny

SMALL = FieldConfig(width=16, depth=4, n_freqs=4, max_log2_freq=2.0, density_scale=8.0)


@pytest.mark.parametrize(
    "params",
    [tiny.params(SMALL), tiny.params(SMALL, batch=3, dtype=torch.float16)[1]],
    ids=["single", "half-of-a-batch"],
)
def test_comes_back_as_it_was(params):
    again, config = load_inr(export_inr(params, SMALL).safetensors)
    assert config == SMALL
    for name, tensor in params.tensors().items():
        torch.testing.assert_close(again.tensors()[name], tensor.float(), rtol=0, atol=0)


def test_file_is_small_and_describes_itself(tmp_path):
    config = FieldConfig()
    exported = export_inr(tiny.params(config), config, provenance={"model": "foundation"})
    assert len(exported.safetensors) < 2_000_000
    path = tmp_path / "inr.safetensors"
    path.write_bytes(exported.safetensors)
    with safetensors.safe_open(path, "numpy") as file:
        description = json.loads(file.metadata()["description"])
        assert file.get_tensor("layers.0.weight").shape == (config.encoded_dim, config.width)
    assert description == exported.description
    assert description["field"]["density_scale"] == config.density_scale
    assert description["provenance"] == {"model": "foundation"}


def test_numpy_alone_renders_the_same_picture(run_example):
    params = tiny.params(SMALL)
    path = run_example(
        "render_inr.py", export_inr(params, SMALL).safetensors, "view.png",
        *"--azimuth 130 --elevation -25 --size 40 --samples 48".split(),
    )  # fmt: skip
    picture = np.asarray(Image.open(path))
    exact = render_view(
        as_field(SMALL, params),
        torch.from_numpy(look_at_origin(130.0, -25.0)),
        fov_deg=40.0,
        size=40,
        n_samples=48,
    ).rgb.numpy()
    assert picture.shape == (40, 40, 3) and exact.std() > 0.05
    assert np.abs(picture / 255.0 - exact).max() < 1.5 / 255


def test_refuses_a_batch_and_a_misfit():
    with pytest.raises(ValueError, match="a batch of 2"):
        export_inr(tiny.params(SMALL, batch=2), SMALL)
    with pytest.raises(ValueError, match="an INR of layers"):
        export_inr(tiny.params(SMALL), FieldConfig())


FILE = export_inr(tiny.params(SMALL), SMALL).safetensors
NO_EXPORT = "exported by hyperdemo expected"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", NO_EXPORT),
        (b"\xff" * 64, NO_EXPORT),
        (safetensors.torch.save({"x": torch.zeros(3)}), NO_EXPORT),
        (FILE[:-8], NO_EXPORT),
        (FILE.replace(b'depth\\": 4', b'depth\\": 5'), "an INR of layers"),
        (FILE.replace(b"n_freqs", b"n_waves"), "not understood"),
    ],
    ids=["empty", "noise", "foreign", "cut-short", "misfit", "unknown-field"],
)
def test_refuses_what_is_no_export_or_does_not_fit(data, message):
    with pytest.raises(ValueError, match=message):
        load_inr(data)
