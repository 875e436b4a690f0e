"""The exercises' notebook, run on a network of the page, with a stand-in for matplotlib."""

import json
import sys
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import torch

from hyperdemo.config import CAMERA_FOV_DEG
from hyperdemo.inr import as_field
from hyperdemo.inr.export import export_inr
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.quadrature import render_view
from tests import tiny
from tests.conftest import ROOT


def test_every_cell_runs_and_renders_what_this_project_does(tmp_path, monkeypatch, capsys):
    params = tiny.params()
    (tmp_path / "inr.safetensors").write_bytes(export_inr(params, tiny.FIELD).safetensors)
    plots = ModuleType("matplotlib.pyplot")
    plots.__getattr__ = lambda name: MagicMock()
    plots.subplots = lambda rows, columns: (None, [MagicMock() for _ in range(columns)])
    package = ModuleType("matplotlib")
    package.pyplot = plots
    monkeypatch.setitem(sys.modules, "matplotlib", package)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", plots)
    monkeypatch.chdir(tmp_path)
    book = json.loads((ROOT / "examples" / "exercises.ipynb").read_text())
    names = {}
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    pose = torch.from_numpy(look_at_origin(0.0, 20.0))
    field = as_field(tiny.FIELD, params)
    seen = render_view(field, pose, fov_deg=CAMERA_FOV_DEG, size=64, n_samples=64)
    np.testing.assert_allclose(names["written"], seen.rgb.numpy(), atol=2e-4)
    assert names["n_numbers"] == params.n_parameters
    assert np.all(np.diff(names["loss"]) > 0)  # more bits, less lost
    assert "of layer 2 gone" in capsys.readouterr().out
