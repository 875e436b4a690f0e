"""LearnIt folders, written here by hand, and what comes back of them."""

import json
import math

import numpy as np
import pytest

from hyperdemo.media.image import save_png
from train.view.learnit import load_learnit


def z_up_camera(azimuth_deg: float, distance: float) -> list[list[float]]:
    """A Blender camera in the ground plane that looks at the origin, z up.

    Azimuth 0 stands on −y (Blender's front), which is +z in a world with y up.
    """
    a = math.radians(azimuth_deg)
    back = (math.sin(a), -math.cos(a), 0.0)
    right = (math.cos(a), math.sin(a), 0.0)
    up = (0.0, 0.0, 1.0)
    rows = [[right[k], up[k], back[k], distance * back[k]] for k in range(3)]
    return [*rows, [0.0, 0.0, 0.0, 1.0]]


def write_object(folder, azimuths, *, side=32, distance=4.0):
    folder.mkdir(parents=True)
    frames = []
    for index, azimuth in enumerate(azimuths):
        picture = np.zeros((side, side, 4), np.uint8)
        picture[8:24, 8:24] = (10 * index, 20, 30, 255)
        save_png(picture, folder / f"{index:03d}.png")
        matrix = z_up_camera(azimuth, distance)
        frames.append({"file_path": f"./{index:03d}", "transform_matrix": matrix})
    content = {"camera_angle_x": math.radians(50), "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content))


@pytest.fixture
def root(tmp_path):
    write_object(tmp_path / "chairs" / "one", [0, 90, 200])
    write_object(tmp_path / "chairs" / "two", [10, 20, 30])
    (tmp_path / "chairs_splits.json").write_text(json.dumps({"train": ["one", "two"], "test": []}))
    return tmp_path


def load(root, **options):
    options = {"split": "train", "input_size": 28} | options
    return load_learnit(root / "chairs", root / "chairs_splits.json", **options)


def test_cameras_are_turned_from_z_up_to_y_up_and_scaled(root):
    views = load(root, radius=2.0)
    assert views.ids == ("one", "two") and views.rgba.shape == (2, 3, 32, 32, 4)
    # Hand-computed: the front camera stands on +z, four units away, which become two.
    np.testing.assert_allclose(views.poses[0, 0, :3, 3], [0, 0, 2], atol=1e-6)
    np.testing.assert_allclose(views.poses[0, 1, :3, 3], [2, 0, 0], atol=1e-6)
    np.testing.assert_allclose(views.poses[0, 0, :3, 1], [0, 1, 0], atol=1e-6)
    np.testing.assert_allclose(np.degrees(views.azimuths[1]), [10, 20, 30], atol=1e-4)
    assert views.fov_deg == pytest.approx(50)


def test_pictures_belong_to_their_cameras(root):
    views = load(root)
    assert views.rgba[0, :, 16, 16, 0].tolist() == [0, 10, 20]
    assert views.framed.shape == (2, 3, 28, 28, 3)


def test_a_missing_picture_and_an_unknown_split_are_named(root):
    (root / "chairs" / "one" / "001.png").unlink()
    with pytest.raises(ValueError, match=r"views \[1\] are missing"):
        load(root)
    with pytest.raises(ValueError, match="no split 'validation'"):
        load(root, split="validation")
