import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
import pytest
import torch
from scipy import ndimage

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams, as_field
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.march import march, warm_up
from hyperdemo.render.quadrature import render_view
from tests.render.test_bake import soft_ball, thin_rod

ROOT = Path(__file__).resolve().parents[2]
POSE = look_at_origin(35.0, 20.0)


def psnr(a, b):
    return -10 * math.log10(np.mean((np.asarray(a, np.float64) - np.asarray(b)) ** 2))


def random_field():
    """A random small MLP: some of the sphere dense, some clear, colours that vary."""
    config = FieldConfig(width=16, depth=3, n_freqs=3, max_log2_freq=1.0, density_scale=30.0)
    generator = torch.Generator().manual_seed(1)
    weights, biases = [], []
    for inputs, outputs in config.layer_shapes:
        weight = torch.randn(1, inputs, outputs, generator=generator)
        weights.append(weight / weight.norm(dim=1, keepdim=True))
        biases.append(torch.zeros(1, outputs))
    weights[-1] *= 8.0
    biases[-1][..., 0] = -2.0
    return as_field(config, InrParams(tuple(weights), tuple(biases)))


def naive_march(baked, pose, *, fov_deg, size, n_steps):
    """The slow twin: one ray after the other, every sample, no skipping and no early end."""
    focal = 0.5 * size / math.tan(math.radians(fov_deg) / 2)
    rgb, alpha, depth = np.ones((size, size, 3)), np.zeros((size, size)), np.zeros((size, size))
    colours = baked.rgb / 255.0
    for row in range(size):
        for column in range(size):
            local = np.array(
                [(column + 0.5 - size / 2) / focal, (size / 2 - row - 0.5) / focal, -1.0]
            )
            ray = pose[:3, :3].astype(float) @ (local / np.linalg.norm(local))
            eye = pose[:3, 3].astype(float)
            middle = -ray @ eye
            inside = 1 - eye @ eye + middle**2
            if inside <= 0:
                continue
            half = math.sqrt(inside)
            n = math.ceil(half * n_steps)
            delta = 2 * half / n
            distances = middle - half + delta * (np.arange(n) + 0.5)
            places = (eye[:, None] + ray[:, None] * distances + 1) * 0.5 * (baked.resolution - 1)
            sigma = ndimage.map_coordinates(baked.density, places, order=1, output=float)
            seen = 1 - np.exp(-sigma * delta)
            weights = seen * np.concatenate([[1.0], np.cumprod(1 - seen)[:-1]])
            alpha[row, column] = weights.sum()
            depth[row, column] = weights @ distances / max(weights.sum(), 1e-8)
            for channel in range(3):
                values = ndimage.map_coordinates(colours[..., channel], places, order=1)
                rgb[row, column, channel] = weights @ values + 1 - weights.sum()
    return rgb, alpha, depth


@pytest.mark.parametrize("field", [soft_ball, thin_rod, random_field()])
def test_agrees_with_the_slow_march(field):
    baked = bake(field, resolution=64, min_density=1e-3)
    fast = march(baked, POSE, fov_deg=40.0, size=20, n_steps=64, supersample=1)
    rgb, alpha, depth = naive_march(baked, POSE, fov_deg=40.0, size=20, n_steps=64)
    assert fast.rgb.shape == (20, 20, 3) and fast.alpha.shape == fast.depth.shape == (20, 20)
    assert fast.rgb.dtype == np.float32 and alpha.max() > 0.5 and alpha.min() == 0.0
    # 1e-3 of the light is left when the fast march stops.
    np.testing.assert_allclose(fast.alpha, alpha, atol=2e-3)
    np.testing.assert_allclose(fast.rgb, rgb, atol=2e-3)
    clear = alpha > 0.05
    np.testing.assert_allclose(fast.depth[clear], depth[clear], atol=5e-3)


@pytest.mark.parametrize("field", [soft_ball, random_field()], ids=["ball", "mlp"])
def test_agrees_with_the_exact_renderer(field):
    fast = march(bake(field), POSE, fov_deg=40.0, size=40, supersample=1)
    exact = render_view(field, torch.from_numpy(POSE), fov_deg=40.0, size=40, n_samples=256)
    assert exact.rgb.std() > 0.05
    assert psnr(fast.rgb, exact.rgb) > 45.0
    assert np.abs(fast.alpha - exact.alpha.numpy()).max() < 0.03
    solid = exact.alpha.numpy() > 0.5
    assert np.abs(fast.depth - exact.depth.numpy())[solid].max() < 0.02


@pytest.mark.parametrize(("azimuth", "elevation"), [(35.0, 20.0), (215.0, -20.0), (-50.0, 60.0)])
def test_skipping_changes_nothing(azimuth, elevation):
    pose = look_at_origin(azimuth, elevation)
    baked = bake(thin_rod, resolution=64)
    everywhere = replace(baked, skip=np.zeros_like(baked.skip))
    with_skips, without = (
        march(grid, pose, fov_deg=40.0, size=48, n_threads=1) for grid in (baked, everywhere)
    )
    assert with_skips.alpha.max() > 0.5
    np.testing.assert_allclose(with_skips.rgb, without.rgb, atol=1e-5)


def test_a_wrong_skip_would_show():
    baked = bake(thin_rod, resolution=64)
    blind = march(replace(baked, skip=baked.skip + np.uint8(1)), POSE, fov_deg=40.0, size=48)
    assert blind.alpha.max() == 0.0


def test_empty_is_white_without_depth():
    empty = bake(lambda p: (torch.zeros(len(p)), torch.zeros_like(p)), resolution=16)
    view = march(empty, POSE, fov_deg=40.0, size=9)
    assert (view.rgb == 1).all() and not view.alpha.any() and not view.depth.any()


def test_threads_and_visitors_see_the_same():
    baked = bake(soft_ball, resolution=32)
    alone = march(baked, POSE, fov_deg=40.0, size=33, n_threads=1)
    with ThreadPoolExecutor(4) as pool:
        options = {"fov_deg": 40.0, "size": 33, "n_threads": 3}
        jobs = [pool.submit(march, baked, POSE, **options) for _ in range(8)]
        for job in jobs:
            np.testing.assert_array_equal(job.result().rgb, alone.rgb)


def test_supersampling_is_the_mean_of_finer_pixels():
    baked = bake(soft_ball, resolution=32)
    fine = march(baked, POSE, fov_deg=40.0, size=24, supersample=1)
    view = march(baked, POSE, fov_deg=40.0, size=12, supersample=2)
    mean = fine.rgb.reshape(12, 2, 12, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(view.rgb, mean, atol=1e-6)
    assert 2.3 < view.depth[6, 6] < 2.7  # the near side of a ball of radius 0.5 at distance 3


def test_small_pictures_do_not_alias():
    """A picture of a few pixels is the mean of a large one, without being asked to be."""
    baked = bake(thin_rod, resolution=64)
    large = march(baked, POSE, fov_deg=40.0, size=256, tolerance=-1.0)
    mean = large.rgb.reshape(16, 16, 16, 16, 3).mean(axis=(1, 3))
    default = march(baked, POSE, fov_deg=40.0, size=16)
    coarse = march(baked, POSE, fov_deg=40.0, size=16, supersample=1)
    assert psnr(default.rgb, mean) > psnr(coarse.rgb, mean) + 6.0
    assert psnr(default.rgb, mean) > 35.0


@pytest.mark.parametrize("size", [210, 256, 511])
@pytest.mark.parametrize("field", [soft_ball, thin_rod, random_field()], ids=["ball", "rod", "mlp"])
def test_interpolated_pixels_agree_with_traced_ones(field, size):
    baked = bake(field, resolution=96)
    options = {"fov_deg": 40.0, "size": size, "n_steps": 96}
    traced = march(baked, POSE, tolerance=-1.0, **options)
    view = march(baked, POSE, **options)
    assert psnr(view.rgb, traced.rgb) > 50.0 and psnr(view.alpha, traced.alpha) > 50.0
    # Some are not traced, and the rays of the lattice are.
    assert (view.rgb != traced.rgb).any()
    np.testing.assert_array_equal(view.rgb[::8, ::8], traced.rgb[::8, ::8])
    np.testing.assert_array_equal(view.rgb[-1, -1], traced.rgb[-1, -1])
    solid = traced.alpha > 0.5
    assert np.abs(view.depth - traced.depth)[solid].mean() < 0.01


def test_tolerance_is_what_keeps_edges():
    baked = bake(thin_rod, resolution=96)
    traced, strict, loose = (
        march(baked, POSE, fov_deg=40.0, size=256, tolerance=tolerance).rgb
        for tolerance in (-1.0, 0.08, 10.0)
    )
    assert psnr(strict, traced) > psnr(loose, traced) + 10.0


def test_the_table_of_attenuation():
    from hyperdemo.render.march_kernels import attenuation

    optical = np.concatenate([np.linspace(0, 16, 4001), [20.0, 1e6]]).astype(np.float32)
    found = np.array([attenuation(value) for value in optical])
    np.testing.assert_allclose(found, np.exp(-optical.astype(np.float64)), atol=4e-5)


def test_the_camera_may_stand_inside():
    def mist(points):
        return soft_ball(points, peak=3.0)

    pose = look_at_origin(0.0, 0.0, distance=0.3)
    fast = march(bake(mist), pose, fov_deg=60.0, size=24)
    exact = render_view(mist, torch.from_numpy(pose), fov_deg=60.0, size=24, n_samples=256)
    assert psnr(fast.rgb, exact.rgb) > 40.0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 0}, "size must be at least 1"),
        ({"fov_deg": 180.0}, "fov_deg must lie between"),
        ({"n_steps": 0}, "n_steps must be"),
        ({"supersample": 0}, "supersample must be"),
    ],
)
def test_refuses_a_number_out_of_range(changed, message):
    baked = bake(soft_ball, resolution=16)
    with pytest.raises(ValueError, match=message):
        march(baked, POSE, **({"fov_deg": 40.0, "size": 8} | changed))


def test_refuses_a_pose_that_is_none():
    baked = bake(soft_ball, resolution=16)
    for pose in (np.eye(3), np.full((4, 4), np.nan)):
        with pytest.raises(ValueError, match="camera-to-world"):
            march(baked, pose, fov_deg=40.0, size=8)


def test_warm_up_compiles_for_what_bake_returns():
    from hyperdemo.render import march_kernels

    warm_up()
    compiled = len(march_kernels.halve_lattice.signatures)
    march(bake(soft_ball, resolution=16), POSE, fov_deg=40.0, size=8)
    assert len(march_kernels.halve_lattice.signatures) == compiled


def test_importing_the_renderer_does_not_import_numba():
    code = "import sys, hyperdemo.render.march; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_compiles_where_nothing_can_be_cached(monkeypatch):
    from hyperdemo.render import march_kernels

    njit = numba.njit

    def nowhere_to_write(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", nowhere_to_write)
    assert march_kernels._jit(lambda x: x + 1)(1) == 2
