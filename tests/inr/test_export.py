import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams, as_field
from hyperdemo.inr.export import export_inr, load_inr
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.quadrature import render_view

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "render_inr.py"
SMALL = FieldConfig(width=16, depth=4, n_freqs=4, max_log2_freq=2.0, density_scale=8.0)


def random_params(config, batch=1):
    generator = torch.Generator().manual_seed(5)
    weights, biases = [], []
    for inputs, outputs in config.layer_shapes:
        weight = torch.randn(batch, inputs, outputs, generator=generator)
        weights.append(weight / weight.norm(dim=1, keepdim=True))
        biases.append(0.1 * torch.randn(batch, outputs, generator=generator))
    weights[-1] *= 3.0
    biases[-1][..., 0] -= 2.0
    return InrParams(tuple(weights), tuple(biases))


def test_comes_back_as_it_was():
    params = random_params(SMALL)
    again, config = load_inr(export_inr(params, SMALL).safetensors)
    assert config == SMALL
    for name, tensor in params.tensors().items():
        torch.testing.assert_close(again.tensors()[name], tensor, rtol=0, atol=0)


def test_one_of_a_batch_on_half_precision():
    params = random_params(SMALL, batch=3)[1].to("cpu", dtype=torch.float16)
    again, _ = load_inr(export_inr(params, SMALL).safetensors)
    torch.testing.assert_close(again.weights[0], params.weights[0].float())


def test_file_is_small_and_describes_itself(tmp_path):
    config = FieldConfig()
    exported = export_inr(random_params(config), config, provenance={"model": "foundation"})
    assert len(exported.safetensors) < 2_000_000
    path = tmp_path / "inr.safetensors"
    path.write_bytes(exported.safetensors)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
        assert file.get_tensor("layers.0.weight").shape == (config.encoded_dim, config.width)
    description = json.loads(metadata["description"])
    assert description == exported.description == json.loads(json.dumps(exported.description))
    assert description["field"]["density_scale"] == config.density_scale
    assert description["provenance"] == {"model": "foundation"}


def test_numpy_alone_renders_the_same_picture(tmp_path):
    params = random_params(SMALL)
    (tmp_path / "inr.safetensors").write_bytes(export_inr(params, SMALL).safetensors)
    code = f"import runpy, sys; sys.modules['torch'] = None; runpy.run_path({str(SCRIPT)!r})"
    options = "--azimuth 130 --elevation -25 --size 40 --samples 48".split()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "inr.safetensors", "view.png", *options],
        cwd=tmp_path, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    picture = np.asarray(Image.open(tmp_path / "view.png"))
    exact = render_view(
        as_field(SMALL, params),
        torch.from_numpy(look_at_origin(130.0, -25.0)),
        fov_deg=40.0,
        size=40,
        n_samples=48,
    ).rgb.numpy()
    assert picture.shape == (40, 40, 3) and exact.std() > 0.05
    assert np.abs(picture / 255.0 - exact).max() < 1.5 / 255


def test_the_script_needs_nothing_but_numpy():
    lines = SCRIPT.read_text().splitlines()
    imported = {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
    assert imported == {"argparse", "json", "struct", "zlib", "numpy"}


def test_refuses_a_batch_and_a_misfit():
    with pytest.raises(ValueError, match="a batch of 2"):
        export_inr(random_params(SMALL, batch=2), SMALL)
    with pytest.raises(ValueError, match="an INR of layers"):
        export_inr(random_params(SMALL), FieldConfig())


def small_file():
    return export_inr(random_params(SMALL), SMALL).safetensors


def foreign():
    return safetensors.torch.save({"x": torch.zeros(3)})


def misfit():
    return small_file().replace(b'depth\\": 4', b'depth\\": 5')


def unknown_field():
    return small_file().replace(b"n_freqs", b"n_waves")


def cut_short():
    return small_file()[:-8]


@pytest.mark.parametrize("data", [bytes, lambda: b"\xff" * 64, foreign, cut_short])
def test_refuses_what_is_no_export(data):
    with pytest.raises(ValueError, match="exported by hyperdemo expected"):
        load_inr(data())


@pytest.mark.parametrize(
    ("data", "message"), [(misfit, "an INR of layers"), (unknown_field, "not understood")]
)
def test_refuses_weights_that_do_not_fit_their_description(data, message):
    with pytest.raises(ValueError, match=message):
        load_inr(data())
