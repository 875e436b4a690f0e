"""The rasteriser in torch against OpenGL's, on all that a surface can be."""

import numpy as np
import pytest
import torch
from PIL import Image

from hyperdemo.metrics import psnr
from hyperdemo.preprocess import composite_on_white
from hyperdemo.render.cameras import look_at_origin
from tests.train.objects.test_rasterise import box, square
from train.gpu import rasterise
from train.gpu.rasterise import Views
from train.objects.obj import Material

CPU = torch.device("cpu")
SIZE = 32
POSES = np.stack([look_at_origin(a, e) for a, e in ((0.0, 0.0), (40.0, 25.0), (200.0, 50.0))])


def pictures(mesh, textures=None):
    views = Views(mesh, textures or {}, POSES, size=SIZE, fov_deg=40.0, device=CPU)
    return views.pictures().numpy()


def checks(*, alpha=False):
    """A checkerboard of 64 × 64 that a view sees much reduced; holes where it is dark."""
    cells = (np.indices((64, 64)) // 16).sum(0) % 2
    rgba = np.full((64, 64, 4), 255, np.uint8)
    rgba[cells == 1, :3] = (200, 40, 10)
    if alpha:
        rgba[cells == 0, 3] = 0
    return Image.fromarray(rgba)


def palette():
    return Image.fromarray(np.array([[(255, 0, 0), (0, 255, 0), (0, 0, 255)]], np.uint8))


SURFACES = {
    "box": (box(0.9, 0.6, 1.2), {}),
    "glass": (square(Material("m", diffuse=(0.2, 0.4, 0.9), opacity=0.4)), {}),
    "checks": (square(Material("m", texture="t")), {"t": checks()}),
    "holes": (square(Material("m", texture="t")), {"t": checks(alpha=True)}),
    "palette": (square(Material("m", texture="t")), {"t": palette()}),
}


@pytest.mark.parametrize("name", SURFACES)
def test_it_shows_what_opengl_shows(egl, name):
    from train.objects.rasterise import Rasteriser

    mesh, textures = SURFACES[name]
    with Rasteriser(SIZE, fov_deg=40.0) as rasteriser:
        expected = rasteriser.render(mesh, POSES, textures)
    found = pictures(mesh, textures)
    assert (found[..., 3] > 0).any(axis=(1, 2)).all()
    assert not found[found[..., 3] == 0].any()
    assert np.abs(found[..., 3].astype(int) - expected[..., 3]).mean() < 0.5
    both = (composite_on_white(part) / 255 for part in (found, expected))
    assert psnr(*both) > 38


def test_few_samples_at_a_time_change_nothing(monkeypatch):
    mesh, textures = SURFACES["holes"]
    expected = pictures(mesh, textures)
    monkeypatch.setattr(rasterise, "FRAGMENTS", 1000)
    np.testing.assert_array_equal(pictures(mesh, textures), expected)
