import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from hyperdemo.render.cameras import (
    angles_deg,
    camera_rays,
    look_at_origin,
    orbit,
    pixel_grid,
    read_transforms,
    turn_about_y,
)

ROOT_HALF, ROOT_3_4 = math.sqrt(0.5), math.sqrt(0.75)


@pytest.mark.parametrize(
    ("azimuth", "elevation", "right", "up", "back"),
    [
        (0.0, 0.0, (1, 0, 0), (0, 1, 0), (0, 0, 1)),
        (90.0, 0.0, (0, 0, -1), (0, 1, 0), (1, 0, 0)),
        (180.0, 0.0, (-1, 0, 0), (0, 1, 0), (0, 0, -1)),
        (0.0, 30.0, (1, 0, 0), (0, ROOT_3_4, -0.5), (0, 0.5, ROOT_3_4)),
        (-90.0, -30.0, (0, 0, 1), (-0.5, ROOT_3_4, 0), (-ROOT_3_4, -0.5, 0)),
    ],
)
def test_cameras_worked_out_by_hand(azimuth, elevation, right, up, back):
    pose = look_at_origin(azimuth, elevation, distance=2.0)
    columns = np.column_stack([right, up, back, 2.0 * np.array(back)])
    np.testing.assert_allclose(pose[:3], columns, atol=1e-7)
    np.testing.assert_array_equal(pose[3], [0, 0, 0, 1])


def test_cameras_are_right_handed_and_upright():
    for azimuth in map(float, range(-180, 361, 45)):
        for elevation in (-89.0, -40.0, 0.0, 20.0, 89.0):
            pose = look_at_origin(azimuth, elevation)
            axes = pose[:3, :3].astype(float)
            np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-6)
            assert np.linalg.det(axes) == pytest.approx(1)
            assert axes[1, 0] == 0 and axes[1, 1] > 0  # level, and not upside down
            np.testing.assert_allclose(pose[:3, 3], 3.0 * axes[:, 2], atol=1e-6)


@pytest.mark.parametrize("elevation", [90.0, -90.0, 120.0, math.nan])
def test_a_pole_is_refused(elevation):
    with pytest.raises(ValueError, match="elevation_deg must lie between -90 and 90"):
        look_at_origin(0.0, elevation)


@pytest.mark.parametrize("distance", [0.0, -1.0, math.nan])
def test_no_distance_is_refused(distance):
    with pytest.raises(ValueError, match="distance must be positive"):
        look_at_origin(0.0, 0.0, distance=distance)


def test_an_orbit_starts_at_the_input_and_loops():
    poses = orbit(8, 20.0)
    assert poses.shape == (8, 4, 4) and poses.dtype == np.float32
    np.testing.assert_array_equal(poses[0], look_at_origin(0.0, 20.0))
    np.testing.assert_allclose(poses[2], look_at_origin(90.0, 20.0), atol=1e-6)
    np.testing.assert_allclose(poses[:, 1, 3], 3 * math.sin(math.radians(20)), atol=1e-6)
    steps = np.linalg.norm(np.diff(poses[:, :3, 3], axis=0, append=poses[:1, :3, 3]), axis=1)
    np.testing.assert_allclose(steps, steps[0], atol=1e-5)


@pytest.mark.parametrize("angle", [-250.0, -30.0, 0.0, 77.0])
def test_turning_adds_azimuth(angle):
    pose = look_at_origin(40.0, 25.0)
    turned = turn_about_y(angle) @ pose
    np.testing.assert_allclose(turned, look_at_origin(40.0 + angle, 25.0), atol=1e-5)
    assert angles_deg(pose[None])[0] == pytest.approx([40.0, 25.0], abs=1e-4)
    off = math.radians(angles_deg(turned[None])[0, 0] - 40.0 - angle)
    assert math.cos(off) == pytest.approx(1) and math.sin(off) == pytest.approx(0, abs=1e-5)


def rays(pose, pixels, **camera):
    return camera_rays(torch.from_numpy(pose), torch.tensor(pixels), **camera)


def test_rays_worked_out_by_hand():
    # With 90° across 4 pixels the focal length is 2 pixels.
    pixels = [[2.0, 2.0], [0.5, 0.5], [3.5, 0.5], [0.0, 2.0], [2.0, 4.0]]
    local = [[0, 0, -1], [-0.75, 0.75, -1], [0.75, 0.75, -1], [-1, 0, -1], [0, -1, -1]]
    expected = np.array([np.array(v) / np.linalg.norm(v) for v in local])
    origins, directions = rays(look_at_origin(0.0, 0.0), pixels, fov_deg=90.0, size=4)
    np.testing.assert_allclose(directions, expected, atol=1e-6)
    np.testing.assert_allclose(origins, np.tile([0, 0, 3], (5, 1)), atol=1e-6)
    # From +x the world's −z is on the right.
    _, directions = rays(look_at_origin(90.0, 0.0), pixels, fov_deg=90.0, size=4)
    swapped = np.stack([expected[:, 2], expected[:, 1], -expected[:, 0]], axis=-1)
    np.testing.assert_allclose(directions, swapped, atol=1e-6)


def test_the_middle_looks_at_the_origin_and_the_edge_makes_half_the_field_of_view():
    pose = look_at_origin(35.0, 30.0)
    middle, edge = [4.5, 4.5], [9.0, 4.5]
    origins, directions = rays(pose, [middle, edge], fov_deg=40.0, size=9)
    np.testing.assert_allclose(directions[0], -origins[0] / 3, atol=1e-6)
    angle = math.degrees(math.acos(float(directions[0] @ directions[1])))
    assert angle == pytest.approx(20.0, abs=1e-3)


def test_a_batch_of_poses_is_each_of_them():
    poses = torch.from_numpy(np.stack([look_at_origin(a, 10.0) for a in (0.0, 50.0, 200.0)]))
    pixels = torch.rand(3, 7, 2) * 16
    together = camera_rays(poses, pixels, fov_deg=40.0, size=16)
    for index in range(3):
        alone = camera_rays(poses[index], pixels[index], fov_deg=40.0, size=16)
        for a, b in zip(alone, together, strict=True):
            torch.testing.assert_close(a, b[index])


def test_pixel_centres_run_row_by_row():
    assert pixel_grid(2).tolist() == [[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.5, 1.5]]


def learnit(folder, **changes):
    """A hand-written data set of two frames; the second one has no picture."""
    matrix = [[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 2.5], [0, 0, 0, 1]]
    frames = [
        {"file_path": "./train/000", "transform_matrix": matrix},
        {"file_path": "./train/001", "transform_matrix": np.eye(4).tolist()},
    ]
    (folder / "train").mkdir()
    Image.new("RGBA", (16, 16)).save(folder / "train" / "000.png")
    path = folder / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 0.5, "frames": frames} | changes))
    return path


def test_reads_learnit_s_format(tmp_path):
    views = read_transforms(learnit(tmp_path))
    assert views.fov_deg == pytest.approx(28.64789)
    assert views.poses.shape == (2, 4, 4) and views.poses.dtype == np.float32
    np.testing.assert_array_equal(views.poses[0, :3, 3], [0.5, 0, 2.5])
    assert views.images == (tmp_path / "train" / "000.png", None)


def test_a_picture_may_be_named_in_full_or_not_at_all(tmp_path):
    matrix = np.eye(4).tolist()
    path = learnit(
        tmp_path,
        frames=[
            {"file_path": "train/000.png", "transform_matrix": matrix},
            {"transform_matrix": matrix},
            {"file_path": 7, "transform_matrix": matrix},
            {"file_path": "train", "transform_matrix": matrix},
        ],
    )
    picture = tmp_path / "train" / "000.png"
    assert read_transforms(str(path)).images == (picture, None, None, None)


GOOD = np.eye(4).tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_angle_x": None}, "not in LearnIt format"),
        ({"camera_angle_x": "wide"}, "not in LearnIt format"),
        ({"camera_angle_x": 0.0}, "between 0 and π"),
        ({"camera_angle_x": 3.2}, "between 0 and π"),
        ({"camera_angle_x": math.nan}, "between 0 and π"),
        ({"frames": None}, "not in LearnIt format"),
        ({"frames": 3}, "not in LearnIt format"),
        ({"frames": ["./000"]}, "not in LearnIt format"),
        ({"frames": []}, "finite 4×4 transform matrices"),
        ({"frames": [{"file_path": "./000"}]}, "not in LearnIt format.*transform_matrix"),
        ({"frames": [{"transform_matrix": "eye"}]}, "not in LearnIt format"),
        ({"frames": [{"transform_matrix": GOOD[:3]}]}, "finite 4×4.*1, 3, 4"),
        ({"frames": [{"transform_matrix": GOOD[:3] + [[0, 1]]}]}, "not in LearnIt format"),
        ({"frames": [{"transform_matrix": g} for g in (GOOD, GOOD[:3])]}, "not in LearnIt"),
        ({"frames": [{"transform_matrix": [[math.inf] * 4] * 4}]}, "finite 4×4"),
    ],
)
def test_a_malformed_file_is_refused_by_name(tmp_path, changes, message):
    path = learnit(tmp_path, **changes)
    with pytest.raises(ValueError, match=f"transforms.json.*{message}"):
        read_transforms(path)


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe\x00", b"[1, 2]", b"null", b'"text"'])
def test_no_json_and_other_json_are_refused(tmp_path, text):
    path = tmp_path / "transforms.json"
    path.write_bytes(text)
    with pytest.raises(ValueError, match="no readable JSON|not in LearnIt format"):
        read_transforms(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no poses file"):
        read_transforms(tmp_path / "none.json")
    with pytest.raises(ValueError, match="no readable JSON"):
        read_transforms(tmp_path)
