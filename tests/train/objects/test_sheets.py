"""Sheets and camera files: what is written comes back, and others can read it."""

import numpy as np
import pytest
from PIL import Image

from hyperdemo.render.cameras import look_at_origin, read_transforms
from train.objects.sheets import load_sheet, load_transforms, save_sheet, save_transforms


def test_a_sheet_keeps_every_bit_in_order(tmp_path) -> None:
    views = np.random.default_rng(0).integers(0, 256, (16, 128, 128, 4), dtype=np.uint8)
    save_sheet(tmp_path / "sheet.webp", views)
    np.testing.assert_array_equal(load_sheet(tmp_path / "sheet.webp"), views)


def test_views_that_fill_no_row_are_refused(tmp_path) -> None:
    with pytest.raises(ValueError, match="multiple"):
        save_sheet(tmp_path / "sheet.webp", np.zeros((9, 128, 128, 4), dtype=np.uint8))


def test_another_picture_is_refused(tmp_path) -> None:
    Image.new("RGBA", (300, 128)).save(tmp_path / "sheet.webp")
    with pytest.raises(ValueError, match="300×128"):
        load_sheet(tmp_path / "sheet.webp")


def test_cameras_come_back_here_and_through_the_app(tmp_path) -> None:
    angles = np.array([(0.0, 10.0), (123.4, 45.0)])
    poses = np.stack([look_at_origin(a, e) for a, e in angles])
    path = tmp_path / "transforms.json"
    save_transforms(path, poses, angles, fov_deg=40.0)
    loaded, angle_x = load_transforms(path)
    np.testing.assert_allclose(loaded, poses, atol=1e-6)
    assert angle_x == pytest.approx(np.radians(40.0))
    app = read_transforms(path)
    np.testing.assert_allclose(app.poses, poses, atol=1e-6)
    assert app.fov_deg == pytest.approx(40.0)
