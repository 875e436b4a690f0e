"""The camera of a framed input: its rays, and how it is found again."""

import math

import numpy as np
import pytest
import torch

from hyperdemo.config import CAMERA_FOV_DEG
from hyperdemo.preprocess.frame import frame_alpha, frame_input
from hyperdemo.refine.camera import InputCamera, find_camera, input_rays
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import camera_rays, look_at_origin, pixel_grid
from hyperdemo.render.march import march
from tests.tiny import Ball

REACH = math.tan(math.radians(CAMERA_FOV_DEG) / 2)


def test_a_frame_that_is_the_whole_picture_has_the_rays_of_the_data_set():
    camera = InputCamera(33.0, (0.0, 0.0), REACH)
    where = pixel_grid(8) / 8
    origins, directions = input_rays(camera.values(), where)
    pose = torch.from_numpy(look_at_origin(0.0, 33.0))
    expected = camera_rays(pose, pixel_grid(8), fov_deg=CAMERA_FOV_DEG, size=8)
    torch.testing.assert_close(origins, expected[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(directions, expected[1], atol=1e-5, rtol=0)


def test_a_frame_is_a_window_in_that_picture():
    """Columns 4 to 8 and rows 0 to 4 of eight: the top right quarter."""
    camera = InputCamera(-5.0, (REACH / 2, REACH / 2), REACH / 2)
    _, directions = input_rays(camera.values(), pixel_grid(4) / 4)
    pose = torch.from_numpy(look_at_origin(0.0, -5.0))
    whole = camera_rays(pose, pixel_grid(8), fov_deg=CAMERA_FOV_DEG, size=8)[1]
    torch.testing.assert_close(
        directions.reshape(4, 4, 3), whole.reshape(8, 8, 3)[:4, 4:], atol=1e-5, rtol=0
    )


def test_its_numbers_come_back_and_gradients_reach_them():
    camera = InputCamera(12.0, (0.02, -0.05), 0.3)
    back = InputCamera.of(camera.values())
    assert back.elevation_deg == pytest.approx(12.0) and back.half == pytest.approx(0.3)
    assert back.centre == pytest.approx((0.02, -0.05))
    values = camera.values().requires_grad_()
    origins, directions = input_rays(values, torch.rand(5, 2))
    (origins.sum() + directions.sum()).backward()
    assert (values.grad.abs() > 1e-4).all()


def step_pyramid(points):
    """A thing that looks different from every height: a red slab, a blue block on its back."""
    x, y, z = points.unbind(-1)
    slab = (x.abs() < 0.6) & (y > -0.3) & (y < -0.15) & (z.abs() < 0.6)
    block = (x.abs() < 0.4) & (y >= -0.15) & (y < 0.5) & (z < -0.3) & (z > -0.6)
    rgb = torch.where(
        slab[:, None], points.new_tensor([0.8, 0.2, 0.1]), points.new_tensor([0, 0, 0.9])
    )
    return 60.0 * (slab | block).to(points), rgb


@pytest.mark.parametrize("elevation", [0.0, 20.0, 45.0])
def test_the_camera_of_a_framed_picture_is_found(elevation):
    baked = bake(step_pyramid, resolution=64)
    seen = march(baked, look_at_origin(0.0, elevation), fov_deg=CAMERA_FOV_DEG, size=128)
    own = np.where(seen.alpha[..., None] > 0, (seen.rgb - 1 + seen.alpha[..., None]), 0)
    own = own / np.maximum(seen.alpha, 1e-3)[..., None]
    rgba = np.rint(255 * np.dstack([own.clip(0, 1), seen.alpha])).astype(np.uint8)
    framed = frame_input(rgba, size=96).astype(np.float32) / 255
    camera = find_camera(baked, framed, frame_alpha(rgba, size=96))
    assert camera.elevation_deg == pytest.approx(elevation, abs=5.0)
    rows, columns = np.nonzero(rgba[..., 3] > 26)
    side = max(np.ptp(rows), np.ptp(columns)) + 1
    assert camera.half == pytest.approx(side / 128 * REACH / 0.9, rel=0.06)
    middle = ((columns.min() + columns.max() + 1) / 128 - 1) * REACH
    assert camera.centre[0] == pytest.approx(middle, abs=0.015)


def test_between_heights_that_look_alike_the_usual_one_is_taken():
    """A ball looks the same from everywhere, so the prior alone decides."""
    baked = bake(Ball(density=60.0, radius=0.6), resolution=48)
    seen = march(baked, look_at_origin(0.0, 60.0), fov_deg=CAMERA_FOV_DEG, size=64)
    rgba = np.rint(255 * np.dstack([np.full((64, 64, 3), 0.5), seen.alpha])).astype(np.uint8)
    framed = frame_input(rgba, size=64).astype(np.float32) / 255
    alpha = frame_alpha(rgba, size=64)
    for elevations in ([60.0, 20.0, -10.0], [-10.0, 20.0, 60.0]):
        camera = find_camera(baked, framed, alpha, elevations_deg=elevations)
        assert camera.elevation_deg == 20.0


def test_of_a_field_that_shows_nothing_the_usual_camera_is_taken():
    empty = bake(lambda points: (points.new_zeros(len(points)), points * 0), resolution=16)
    camera = find_camera(empty, np.ones((32, 32, 3), np.float32), np.zeros((32, 32), np.float32))
    assert camera == InputCamera(20.0, (0.0, 0.0), REACH)
