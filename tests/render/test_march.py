import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numba
import numpy as np
import pytest
import torch

from hyperdemo.metrics import psnr
from hyperdemo.render import march_kernels
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.march import march, warm_up
from hyperdemo.render.quadrature import render_view
from tests.render.fields import naive_view, nothing, on_grid, random_field, soft_ball, thin_rod

ROOT = Path(__file__).resolve().parents[2]
POSE = look_at_origin(35.0, 20.0)
INSIDE = look_at_origin(0.0, 0.0, distance=0.3)
FIELDS = pytest.mark.parametrize(
    "field", [soft_ball, thin_rod, random_field()], ids=["ball", "rod", "mlp"]
)
view_of = partial(march, pose=POSE, fov_deg=40.0)


def mean_of_blocks(rgb, side):
    """Each `side` × `side` pixels averaged to one."""
    n = len(rgb) // side
    return rgb.reshape(n, side, n, side, 3).mean(axis=(1, 3))


@FIELDS
def test_agrees_with_the_slow_march(field):
    baked = bake(field, resolution=64, min_density=1e-3)
    fast = view_of(baked, size=20, n_steps=64, supersample=1)
    rgb, alpha, depth = naive_view(
        on_grid(baked.density, baked.rgb / 255), POSE, fov_deg=40.0, size=20,
        n_samples=lambda length: math.ceil(length * 32),
    )  # fmt: skip
    assert fast.rgb.dtype == np.float32 and alpha.max() > 0.5 and alpha.min() == 0.0
    # 1e-3 of the light is left when the fast march stops.
    np.testing.assert_allclose(fast.alpha, alpha, atol=2e-3)
    np.testing.assert_allclose(fast.rgb, rgb, atol=2e-3)
    clear = alpha > 0.05
    np.testing.assert_allclose(fast.depth[clear], depth[clear], atol=5e-3)


@pytest.mark.parametrize(
    ("field", "pose", "least_db"),
    [(soft_ball, POSE, 45.0), (random_field(), POSE, 45.0),
     (partial(soft_ball, peak=3.0), INSIDE, 40.0)],
    ids=["ball", "mlp", "camera-inside"],
)  # fmt: skip
def test_agrees_with_the_exact_renderer(field, pose, least_db):
    fast = march(bake(field), pose, fov_deg=40.0, size=40, supersample=1)
    exact = render_view(field, torch.from_numpy(pose), fov_deg=40.0, size=40, n_samples=256)
    assert exact.rgb.std() > 0.02
    assert psnr(fast.rgb, exact.rgb.numpy()) > least_db
    assert np.abs(fast.alpha - exact.alpha.numpy()).max() < 0.03
    solid = exact.alpha.numpy() > 0.5
    assert np.abs(fast.depth - exact.depth.numpy())[solid].max() < 0.02


@pytest.mark.parametrize(("azimuth", "elevation"), [(35.0, 20.0), (215.0, -20.0), (-50.0, 60.0)])
def test_skipping_changes_nothing(azimuth, elevation):
    baked = bake(thin_rod, resolution=64)
    camera = {"pose": look_at_origin(azimuth, elevation), "fov_deg": 40.0, "size": 48}
    skipping, without, blind = (
        march(replace(baked, skip=skip), **camera, n_threads=1)
        for skip in (baked.skip, np.zeros_like(baked.skip), baked.skip + np.uint8(1))
    )
    assert skipping.alpha.max() > 0.5 and blind.alpha.max() == 0.0
    np.testing.assert_allclose(skipping.rgb, without.rgb, atol=1e-5)


def test_empty_is_white_without_depth():
    view = view_of(bake(nothing, resolution=16), size=9)
    assert (view.rgb == 1).all() and not view.alpha.any() and not view.depth.any()


def test_threads_and_visitors_see_the_same():
    baked = bake(soft_ball, resolution=32)
    alone = view_of(baked, size=33, n_threads=1)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(view_of, baked, size=33, n_threads=3) for _ in range(8)]
        for job in jobs:
            np.testing.assert_array_equal(job.result().rgb, alone.rgb)


def test_supersampling_is_the_mean_of_finer_pixels():
    baked = bake(soft_ball, resolution=32)
    fine = view_of(baked, size=24, supersample=1)
    view = view_of(baked, size=12, supersample=2)
    np.testing.assert_allclose(view.rgb, mean_of_blocks(fine.rgb, 2), atol=1e-6)
    assert 2.3 < view.depth[6, 6] < 2.7  # the near side of a ball of radius 0.5 at distance 3


def test_small_pictures_do_not_alias_by_default():
    baked = bake(thin_rod, resolution=64)
    mean = mean_of_blocks(view_of(baked, size=256, tolerance=-1.0).rgb, 16)
    default, coarse = (
        psnr(view_of(baked, size=16, supersample=rays).rgb, mean) for rays in (None, 1)
    )
    assert default > coarse + 6.0 and default > 35.0


@pytest.mark.parametrize("size", [210, 256, 511])
@FIELDS
def test_interpolated_pixels_agree_with_traced_ones(field, size):
    baked = bake(field, resolution=96)
    traced = view_of(baked, size=size, n_steps=96, tolerance=-1.0)
    view = view_of(baked, size=size, n_steps=96)
    assert psnr(view.rgb, traced.rgb) > 50.0 and psnr(view.alpha, traced.alpha) > 50.0
    # Some are not traced, and the rays of the lattice are.
    assert (view.rgb != traced.rgb).any()
    np.testing.assert_array_equal(view.rgb[::8, ::8], traced.rgb[::8, ::8])
    np.testing.assert_array_equal(view.rgb[-1, -1], traced.rgb[-1, -1])
    solid = traced.alpha > 0.5
    assert np.abs(view.depth - traced.depth)[solid].mean() < 0.01


def test_the_tolerance_keeps_edges():
    baked = bake(thin_rod, resolution=96)
    traced, strict, loose = (view_of(baked, size=256, tolerance=t).rgb for t in (-1.0, 0.08, 10.0))
    assert psnr(strict, traced) > psnr(loose, traced) + 10.0


def test_the_table_of_attenuation():
    optical = np.concatenate([np.linspace(0, 16, 4001), [20.0, 1e6]]).astype(np.float32)
    found = np.array([march_kernels.attenuation(value) for value in optical])
    np.testing.assert_allclose(found, np.exp(-optical.astype(np.float64)), atol=4e-5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"size": 0}, "size must be at least 1"),
        ({"fov_deg": 180.0}, "fov_deg must lie between"),
        ({"n_steps": 0}, "n_steps must be"),
        ({"supersample": 0}, "supersample must be"),
        ({"pose": np.eye(3)}, "camera-to-world"),
        ({"pose": np.full((4, 4), np.nan)}, "camera-to-world"),
    ],
)
def test_refuses_a_camera_that_is_none(changed, message):
    with pytest.raises(ValueError, match=message):
        view_of(bake(soft_ball, resolution=16), **({"size": 8} | changed))


def test_warm_up_compiles_for_what_bake_returns():
    warm_up()
    compiled = len(march_kernels.halve_lattice.signatures)
    view_of(bake(soft_ball, resolution=16), size=8)
    assert len(march_kernels.halve_lattice.signatures) == compiled


def test_importing_the_renderer_does_not_import_numba():
    code = "import sys, hyperdemo.render.march; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_compiles_where_nothing_can_be_cached(monkeypatch):
    njit = numba.njit

    def nowhere_to_write(*, cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", nowhere_to_write)
    assert march_kernels._jit(lambda x: x + 1)(1) == 2
