import json
import math

import numpy as np
import pytest
import torch

from hyperdemo.render.cameras import (
    angles_deg,
    camera_rays,
    look_at_origin,
    orbit,
    pixel_grid,
    read_poses,
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
        (45.0, 0.0, (ROOT_HALF, 0, -ROOT_HALF), (0, 1, 0), (ROOT_HALF, 0, ROOT_HALF)),
    ],
)
def test_cameras_worked_out_by_hand(azimuth, elevation, right, up, back):
    pose = look_at_origin(azimuth, elevation, distance=2.0)
    columns = np.column_stack([right, up, back, 2.0 * np.array(back)])
    np.testing.assert_allclose(pose[:3], columns, atol=1e-7)
    np.testing.assert_array_equal(pose[3], [0, 0, 0, 1])


@pytest.mark.parametrize(
    ("elevation", "distance", "message"),
    [(e, 3.0, "elevation_deg must lie between -90 and 90") for e in (90.0, -90.0, 120.0, math.nan)]
    + [(0.0, d, "distance must be positive") for d in (0.0, -1.0, math.nan)],
)
def test_a_pole_and_no_distance_are_refused(elevation, distance, message):
    with pytest.raises(ValueError, match=message):
        look_at_origin(0.0, elevation, distance=distance)


def test_an_orbit_starts_at_the_input_and_loops():
    poses = orbit(8, 20.0)
    expected = [look_at_origin(float(azimuth), 20.0) for azimuth in range(0, 360, 45)]
    np.testing.assert_allclose(poses, expected, atol=1e-6)


@pytest.mark.parametrize("angle", [-250.0, -30.0, 0.0, 77.0])
def test_turning_adds_azimuth(angle):
    turned = turn_about_y(angle) @ look_at_origin(40.0, 25.0)
    np.testing.assert_allclose(turned, look_at_origin(40.0 + angle, 25.0), atol=1e-5)
    azimuth, elevation = angles_deg(turned[None])[0]
    off = math.radians(azimuth - 40.0 - angle)
    assert math.cos(off) == pytest.approx(1) and math.sin(off) == pytest.approx(0, abs=1e-5)
    assert elevation == pytest.approx(25.0, abs=1e-4)


def test_rays_worked_out_by_hand():
    # With 90° across 4 pixels the focal length is 2 pixels.
    pixels = torch.tensor([[2.0, 2.0], [0.5, 0.5], [3.5, 0.5], [0.0, 2.0], [2.0, 4.0]])
    local = [[0, 0, -1], [-0.75, 0.75, -1], [0.75, 0.75, -1], [-1, 0, -1], [0, -1, -1]]
    expected = np.array([np.array(v) / np.linalg.norm(v) for v in local])
    poses = torch.from_numpy(np.stack([look_at_origin(0.0, 0.0), look_at_origin(90.0, 0.0)]))
    origins, directions = camera_rays(poses, pixels.expand(2, -1, -1), fov_deg=90.0, size=4)
    np.testing.assert_allclose(origins, [[[0, 0, 3]] * 5, [[3, 0, 0]] * 5], atol=1e-6)
    np.testing.assert_allclose(directions[0], expected, atol=1e-6)
    # From +x the world's −z is on the right.
    swapped = np.stack([expected[:, 2], expected[:, 1], -expected[:, 0]], axis=-1)
    np.testing.assert_allclose(directions[1], swapped, atol=1e-6)


def test_the_edge_makes_half_the_field_of_view_with_the_middle():
    pose = torch.from_numpy(look_at_origin(35.0, 30.0))
    origins, directions = camera_rays(
        pose, torch.tensor([[4.5, 4.5], [9.0, 4.5]]), fov_deg=40.0, size=9
    )
    np.testing.assert_allclose(directions[0], -origins[0] / 3, atol=1e-6)
    angle = math.degrees(math.acos(float(directions[0] @ directions[1])))
    assert angle == pytest.approx(20.0, abs=1e-3)


def test_pixel_centres_run_row_by_row():
    assert pixel_grid(2).tolist() == [[0.5, 0.5], [1.5, 0.5], [0.5, 1.5], [1.5, 1.5]]


GOOD = np.eye(4).tolist()


def test_reads_learnit_s_format(tmp_path):
    """Pictures may be named in full, without their ending, or not at all."""
    picture = tmp_path / "train" / "000.png"
    picture.parent.mkdir()
    picture.touch()
    matrix = [[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 2.5], [0, 0, 0, 1]]
    names = ["./train/000", "train/000.png", "./train/001", 7, "train"]
    frames = [{"file_path": name, "transform_matrix": matrix} for name in names]
    frames.append({"transform_matrix": GOOD})
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 0.5, "frames": frames}))
    views = read_transforms(str(path))
    assert views.fov_deg == pytest.approx(28.64789)
    assert views.poses.shape == (6, 4, 4) and views.poses.dtype == np.float32
    np.testing.assert_array_equal(views.poses[0, :3, 3], [0.5, 0, 2.5])
    assert views.images == (picture, picture, None, None, None, None)


def one_frame(matrix):
    return {"frames": [{"transform_matrix": matrix}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"camera_angle_x": None}, "not in LearnIt format"),
        ({"camera_angle_x": "wide"}, "not in LearnIt format"),
        ({"camera_angle_x": 0.0}, "between 0 and π"),
        ({"camera_angle_x": 3.2}, "between 0 and π"),
        ({"camera_angle_x": math.nan}, "between 0 and π"),
        ({"frames": None}, "not in LearnIt format"),
        ({"frames": ["./000"]}, "not in LearnIt format"),
        ({"frames": []}, "finite 4×4 transform matrices"),
        ({"frames": [{"file_path": "./000"}]}, "not in LearnIt format.*transform_matrix"),
        (one_frame("eye"), "not in LearnIt format"),
        (one_frame(GOOD[:3]), "finite 4×4.*1, 3, 4"),
        (one_frame(GOOD[:3] + [[0, 1]]), "not in LearnIt format"),
        (one_frame([[math.inf] * 4] * 4), "finite 4×4"),
    ],
)
def test_a_malformed_file_is_refused_by_name(tmp_path, changes, message):
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 0.5, **one_frame(GOOD), **changes}))
    with pytest.raises(ValueError, match=f"transforms.json.*{message}"):
        read_transforms(path)


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret", "a/../../b", "a\0b"])
def test_pictures_outside_the_folder_are_refused_where_they_are_looked_for(tmp_path, name):
    path, frame = tmp_path / "transforms.json", {"file_path": name, "transform_matrix": GOOD}
    path.write_text(json.dumps({"camera_angle_x": 0.5, "frames": [frame]}))
    with pytest.raises(ValueError, match=r"transforms\.json: file_path .* out of the folder"):
        read_transforms(path)
    assert read_transforms(path, pictures=False).images == (None,)


def posed(changes, *, n=2):
    """Poses round the object; the last one is changed by [(row, column, value), …]."""
    poses = [look_at_origin(40.0 * k, 10.0) for k in range(n)]
    for row, column, value in changes:
        poses[-1][row, column] = value
    return [{"transform_matrix": pose.tolist()} for pose in poses]


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        (posed([(0, 0, 2.0)]), "pose 1 is not rigid"),
        ([{"transform_matrix": np.diag([-1.0, 1.0, 1.0, 1.0]).tolist()}], "pose 0 is not rigid"),
        (posed([(3, 3, 2.0)]), "pose 1 is not rigid"),
        (posed([(k, 3, 0.0) for k in range(3)]), "pose 1 stands 0 from the origin; from 1"),
        (posed([(1, 3, 1e9)]), r"pose 1 stands 1e\+09 from the origin.* to 100 expected"),
        (posed([(0, 3, math.nan)]), "finite 4×4"),
        (posed([], n=961), "at most 960 poses expected, got 961"),
    ],
)
def test_poses_to_render_from_are_rigid_and_outside_of_the_object(tmp_path, frames, message):
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps({"camera_angle_x": 0.5, "frames": frames}))
    with pytest.raises(ValueError, match=rf"transforms\.json: {message}"):
        read_poses(path)
    path.write_text(json.dumps({"camera_angle_x": 0.5, "frames": posed([])}))
    assert read_poses(path).poses.shape == (2, 4, 4)


@pytest.mark.parametrize(
    "text", [b"[" * 99_999, b"", b"{", b"\xff\xfe\x00", b"[1, 2]", b"null", b'"text"']
)
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
