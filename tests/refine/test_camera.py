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


@pytest.mark.parametrize(
    ("camera", "rows", "columns"),
    [
        (InputCamera(33.0, (0.0, 0.0), REACH), slice(8), slice(8)),
        (InputCamera(-5.0, (REACH / 2, REACH / 2), REACH / 2), slice(4), slice(4, 8)),
    ],
    ids=["whole", "top-right-quarter"],
)
def test_a_frame_is_a_window_in_a_picture_of_the_data_set(camera, rows, columns):
    pose = torch.from_numpy(look_at_origin(0.0, camera.elevation_deg))
    whole = camera_rays(pose, pixel_grid(8), fov_deg=CAMERA_FOV_DEG, size=8)
    size = rows.stop
    for found, expected in zip(
        input_rays(camera.values(), pixel_grid(size) / size), whole, strict=True
    ):
        window = expected.reshape(8, 8, 3)[rows, columns].reshape(-1, 3)
        torch.testing.assert_close(found, window, atol=1e-5, rtol=0)


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
    red, blue = points.new_tensor([0.8, 0.2, 0.1]), points.new_tensor([0, 0, 0.9])
    return 60.0 * (slab | block).to(points), torch.where(slab[:, None], red, blue)


def found_camera(baked, rgba):
    framed = frame_input(rgba, size=96).astype(np.float32) / 255
    return find_camera(baked, framed, frame_alpha(rgba, size=96))


@pytest.mark.parametrize("elevation", [0.0, 20.0, 45.0])
def test_the_camera_of_a_framed_picture_is_found(elevation):
    baked = bake(step_pyramid, resolution=64)
    seen = march(baked, look_at_origin(0.0, elevation), fov_deg=CAMERA_FOV_DEG, size=128)
    alpha = seen.alpha[..., None]
    own = np.where(alpha > 0, seen.rgb - 1 + alpha, 0) / np.maximum(alpha, 1e-3)
    rgba = np.rint(255 * np.dstack([own.clip(0, 1), alpha])).astype(np.uint8)
    camera = found_camera(baked, rgba)
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
    assert found_camera(baked, rgba).elevation_deg == 20.0


def test_of_a_field_that_shows_nothing_the_usual_camera_is_taken():
    empty = bake(lambda points: (points.new_zeros(len(points)), points * 0), resolution=16)
    camera = find_camera(empty, np.ones((32, 32, 3), np.float32), np.zeros((32, 32), np.float32))
    assert camera == InputCamera(20.0, (0.0, 0.0), REACH)
