import json
import os
from dataclasses import replace

import numpy as np
import pytest
import torch

from hyperdemo.preprocess import frame_input
from hyperdemo.render.cameras import look_at_origin
from tests.tiny import Ball
from tests.train import scenes
from train.config import ViewData
from train.view.data import load_views, packed_folder, read_split


def test_views_come_from_disk_framed_as_uploads_are(tmp_path):
    folder, _ = scenes.write_dataset(tmp_path)
    names = ["ball-2", "ball-0"]
    loaded = load_views(
        ViewData(views_dir=str(folder)),
        names,
        classes={"ball-0": "x", "ball-2": "y"},
        input_size=28,
    )
    assert len(loaded) == 2 and loaded.size == 128
    assert loaded.ids == tuple(names) and loaded.classes == ("y", "x")
    assert loaded.rgba.shape == (2, 8, 128, 128, 4) and loaded.framed.shape == (2, 8, 28, 28, 3)
    assert loaded.fov_deg == pytest.approx(40.0)
    ball = Ball(**scenes.BALLS[2])
    for view, (azimuth, elevation) in enumerate(scenes.angles(8, 62.0)):
        pose = look_at_origin(float(azimuth), float(elevation))
        picture = scenes.photograph(ball, pose, 128)
        np.testing.assert_array_equal(loaded.rgba[0, view], picture)
        np.testing.assert_array_equal(loaded.framed[0, view], frame_input(picture, size=28))
        np.testing.assert_allclose(loaded.poses[0, view], pose, atol=1e-6)
        turned = float(loaded.azimuths[0, view]) - np.radians(azimuth)
        assert np.cos(turned) == pytest.approx(1, abs=1e-6)


def test_what_is_not_there_or_does_not_fit_is_refused(tmp_path):
    folder, splits = scenes.write_dataset(tmp_path)
    data = ViewData(views_dir=str(folder))
    classes = {f"ball-{k}": "a" for k in range(4)}
    with pytest.raises(ValueError, match="no views of ball-3 .*render_views"):
        load_views(data, ["ball-0", "ball-3"], classes=classes, input_size=28)
    path = folder / "ball-1" / "transforms.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"camera_angle_x": 0.6}))
    with pytest.raises(ValueError, match="one field of view"):
        load_views(data, ["ball-0", "ball-1"], classes=classes, input_size=28)
    other, _ = scenes.write_dataset(tmp_path / "other", n_views=16)
    (other / "ball-0").rename(folder / "ball-3")
    with pytest.raises(ValueError, match="8 views of each object expected, ball-3 has 16"):
        load_views(data, ["ball-0", "ball-3"], classes=classes, input_size=28)
    assert read_split(splits, "val") == (["ball-2"], {"ball-0": "a", "ball-1": "b", "ball-2": "a"})
    for name in ("holdout", "classes"):
        with pytest.raises(ValueError, match=f"no split '{name}' .* test, train, unseen, val"):
            read_split(splits, name)


def test_packed_views_are_those_read_one_by_one_and_shared_by_runs(tmp_path, monkeypatch):
    folder, _ = scenes.write_dataset(tmp_path)
    classes, names = {f"ball-{k}": "a" for k in range(3)}, ["ball-2", "ball-0"]
    plain = load_views(ViewData(views_dir=str(folder)), names, classes=classes, input_size=28)
    packed = ViewData(views_dir=str(folder), packed=True)
    made = load_views(packed, names, classes=classes, input_size=28)
    # Read once only, and what one run writes into its tensors stays its own.
    monkeypatch.setattr("train.view.data._read_object", None)
    made.rgba.zero_()
    again = load_views(packed, names, classes=classes, input_size=28)
    for name in ("rgba", "framed", "poses", "turns"):
        assert torch.equal(getattr(again, name), getattr(plain, name))
    assert (again.ids, again.classes, again.fov_deg) == (plain.ids, plain.classes, plain.fov_deg)


def test_views_rendered_anew_or_meant_otherwise_are_not_taken_from_a_pack(tmp_path):
    folder, _ = scenes.write_dataset(tmp_path)
    data = ViewData(views_dir=str(folder), packed=True)
    before = packed_folder(data, ["ball-1", "ball-0"], input_size=28)
    assert before == packed_folder(data, ["ball-1", "ball-0"], input_size=28)
    other = [
        packed_folder(data, ["ball-0", "ball-1"], input_size=28),
        packed_folder(data, ["ball-1", "ball-0"], input_size=42),
        packed_folder(replace(data, radius=2 * data.radius), ["ball-1", "ball-0"], input_size=28),
    ]
    file = folder / "ball-0" / "transforms.json"
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 10**9))
    other.append(packed_folder(data, ["ball-1", "ball-0"], input_size=28))
    assert len({before, *other}) == 5


def test_a_pack_that_cannot_be_made_leaves_nothing_under_its_name(tmp_path):
    folder, _ = scenes.write_dataset(tmp_path)
    packed = ViewData(views_dir=str(folder), packed=True)
    for _ in range(2):
        with pytest.raises(ValueError, match="no views of ball-3"):
            load_views(packed, ["ball-0", "ball-3"], classes={"ball-0": "a"}, input_size=28)
