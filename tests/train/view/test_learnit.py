"""LearnIt folders, written here by hand, and what comes back of them: views, and a table."""

import json
import math

import numpy as np
import pytest
from safetensors.torch import save_file

from hyperdemo.backbones import build_vit
from hyperdemo.media.image import save_png
from hyperdemo.render.cameras import look_at_origin
from tests import tiny
from tests.tiny import Ball
from tests.train import scenes
from train import pair
from train.config import ViewData
from train.view import evaluate, learnit
from train.view.data import load_split

RADIUS = 4 / 3  # cameras four units away stand at a distance of three in our world


def z_up_camera(azimuth_deg: float, distance: float) -> list[list[float]]:
    """A Blender camera in the ground plane that looks at the origin, z up.

    Azimuth 0 stands on −y (Blender's front), which is +z in a world with y up.
    """
    sin, cos = math.sin(math.radians(azimuth_deg)), math.cos(math.radians(azimuth_deg))
    return [
        [cos, 0.0, sin, distance * sin],
        [sin, 0.0, -cos, -distance * cos],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ]


def write_object(folder, azimuths, *, ball=scenes.BALLS[0], side=32):
    """A ball as seen at the horizon; its files are called as LearnIt's are."""
    folder.mkdir(parents=True)
    frames = []
    for index, azimuth in enumerate(azimuths):
        picture = scenes.photograph(Ball(**ball), look_at_origin(azimuth, 0.0), side)
        save_png(picture, folder / f"r_{index}.png")
        matrix = z_up_camera(azimuth, 4.0)
        frames.append({"file_path": f"./train/x/r_{index}", "transform_matrix": matrix})
    content = {"camera_angle_x": math.radians(scenes.FOV_DEG), "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content))


@pytest.fixture
def data(tmp_path):
    """Forty-one objects to learn from, of which the first and the last are there, and one more."""
    azimuths = [10.0 * k for k in range(30)]
    names = ["one", *(f"not-released-{k}" for k in range(39)), "two"]
    for name, ball in zip(("one", "two", "new"), scenes.BALLS, strict=True):
        write_object(tmp_path / "chairs" / name, azimuths, ball=ball)
    write_object(tmp_path / "chairs" / names[1], azimuths)
    splits = {"train": names, "test": ["new"]}
    (tmp_path / "chair_splits.json").write_text(json.dumps(splits))
    return ViewData(
        format="learnit", views_dir=str(tmp_path / "chairs"), radius=RADIUS,
        splits_file=str(tmp_path / "chair_splits.json"),
    )  # fmt: skip


def test_cameras_are_turned_from_z_up_to_y_up_and_scaled_and_have_their_pictures(data):
    views = load_split(data, "test", input_size=28)
    assert views.ids == ("new",) and views.classes == ("chairs",)
    assert views.rgba.shape == (1, 25, 32, 32, 4) and views.framed.shape == (1, 25, 28, 28, 3)
    assert views.fov_deg == pytest.approx(40.0)
    for k in range(25):
        np.testing.assert_allclose(views.poses[0, k], look_at_origin(10.0 * k, 0.0), atol=1e-5)
        seen = scenes.photograph(Ball(**scenes.BALLS[2]), look_at_origin(10.0 * k, 0.0), 32)
        np.testing.assert_array_equal(views.rgba[0, k], seen)


def test_every_fortieth_training_object_is_for_validation_and_what_lacks_is_left_out(data):
    ids, classes = learnit.read_split(data.views_dir, data.splits_file, "val")
    assert ids == ["one", "two"] and classes == {"one": "chairs", "two": "chairs"}
    with pytest.warns(UserWarning, match="38 train objects are not in .*chairs and left out"):
        ids, _ = learnit.read_split(data.views_dir, data.splits_file, "train")
    assert ids == ["not-released-0"]


def test_what_is_missing_is_named(data, tmp_path):
    for arguments, message in (
        (
            (data.views_dir, data.splits_file, "unseen"),
            "no split 'unseen'; .*'test', 'train', 'val'",
        ),
        ((tmp_path, data.splits_file, "test"), "holds none of the test objects"),
        ((tmp_path, tmp_path / "none.json", "test"), "LearnIt's splits in .*none.json"),
    ):
        with pytest.raises(ValueError, match=message):
            learnit.read_split(*arguments)
    (tmp_path / "chairs" / "new" / "r_1.png").unlink()
    with pytest.raises(ValueError, match=r"views \[1\] are missing"):
        load_split(data, "test", input_size=28)


def test_one_command_from_the_folder_to_the_table(data, tmp_path, monkeypatch, capsys, recwarn):
    encoder = build_vit(tiny.BACKBONE).eval()
    save_file(encoder.vit.state_dict(), tmp_path / "vit.safetensors")
    monkeypatch.setattr(evaluate, "build_vit", lambda *_, **__: encoder)
    config = tmp_path / "mine.toml"
    config.write_text(
        f'backbone_file = "{tmp_path / "vit.safetensors"}"\nsteps = 2\nbatch = 2\nthreads = 1\n'
        f'[data]\nformat = "learnit"\nviews_dir = "nowhere"\nsplits_file = "{data.splits_file}"\n'
        f"radius = {RADIUS}\nrays = 8\nsamples = 8\n"
        "[model]\nn_groups = 4\n[model.field]\nwidth = 16\ndepth = 3\nn_freqs = 4\n"
        "[model.backbone]\nimage_size = 28\n"
        "overrides = {depth = 2, embed_dim = 48, num_heads = 3}\n"
    )
    weights = tmp_path / "weights"
    argv = [str(config), "--weights", str(weights), "--runs", str(tmp_path / "runs")]
    argv += ["--set", f"data.views_dir={data.views_dir}", "--device", "cpu", "--ceiling-steps", "1"]
    pair.main(argv)
    assert "runs/scratch: 2 steps" in capsys.readouterr().out
    facts = json.loads((tmp_path / "runs" / "scratch" / "run.json").read_text())
    assert facts["command"].startswith(f"python -m train.run --config {config} --out")
    assert {"git", "hardware", "torch"} <= set(facts) and facts["train_objects"] == 1
    found = json.loads((weights / "results.json").read_text())["view"]
    assert list(found["splits"]) == ["test"]
    table = found["splits"]["test"]
    assert list(table) == ["white", "mean", "scratch", "foundation", "ceiling"]
    assert all([row["object"] for row in answer["rows"]] == ["new"] for answer in table.values())
    trained = {name: facts["training"] for name, facts in found["models"].items()}
    assert trained["foundation"]["lr_backbone"] != trained["scratch"]["lr_backbone"] == 3e-5
    assert found["paired"]["test"]["psnr"]["objects"] == 1
