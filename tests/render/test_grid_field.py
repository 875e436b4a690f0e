import numpy as np
import torch

from hyperdemo.metrics import psnr
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.grid_field import GridField
from hyperdemo.render.march import march
from hyperdemo.render.quadrature import render_view
from tests.render.fields import on_grid, soft_ball, waves


def test_agrees_with_scipys_interpolation(generator):
    baked = bake(waves, resolution=16)
    points = torch.rand(200, 3, generator=generator) * 2 - 1
    density, rgb = GridField(baked, device="cpu")(points)
    expected = on_grid(baked.density, baked.values[..., :3])(points)
    assert density.std() > 0.1
    np.testing.assert_allclose(density, expected[0], atol=1e-4)
    np.testing.assert_allclose(rgb, expected[1], atol=1e-4)


def test_rendered_exactly_it_shows_what_the_march_shows():
    pose = look_at_origin(35.0, 20.0)
    for field in (soft_ball, waves):
        baked = bake(field, resolution=64)
        fast = march(baked, pose, fov_deg=40.0, size=128, n_steps=96)
        seen = render_view(
            GridField(baked, device="cpu"), torch.from_numpy(pose), fov_deg=40.0, size=128,
            n_samples=96, chunk=2**16,
        )  # fmt: skip
        assert psnr(fast.rgb, seen.rgb.numpy()) > 45.0
