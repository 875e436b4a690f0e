"""The examples with ground truth: how they are made, and that the shipped ones are whole."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from hyperdemo.render.cameras import look_at_origin, read_transforms
from tests.conftest import ROOT
from train.view import examples
from train.view.data import read_split
from train.view.examples import CHOSEN, SOURCE_AZIMUTH_DEG, write_example

SPLITS = ROOT / "train" / "splits-with-models.json"


class Painter:
    """Stands in for the rasteriser: paints the number of the pose, remembers all poses."""

    asked: list[np.ndarray] = []

    def __init__(self, *, size, fov_deg):
        assert fov_deg == 40.0
        self.size = size

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def render(self, mesh, poses, textures):
        self.asked.append(poses)
        number = np.arange(len(poses), dtype=np.uint8)[:, None, None, None]
        return np.broadcast_to(number, (len(poses), self.size, self.size, 4))


def test_the_file_s_cameras_go_round_the_input_the_rendered_ones_round_the_object(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(examples, "Rasteriser", Painter)
    monkeypatch.setattr(examples, "read", lambda _: ("mesh", "textures"))
    monkeypatch.setattr(examples, "normalise", lambda mesh: mesh)
    Painter.asked = []
    folder = write_example(SimpleNamespace(object_id="a-chair"), tmp_path, name="Chair")
    assert folder == tmp_path / "a-chair" and (folder / "name.txt").read_text() == "Chair\n"
    shown, truth = Painter.asked
    stored = read_transforms(folder / "transforms.json")
    assert stored.fov_deg == pytest.approx(40.0) and len(stored.poses) == 8
    for k, (pose, rendered) in enumerate(zip(stored.poses, truth, strict=True)):
        np.testing.assert_allclose(pose, look_at_origin(45.0 * k, 20.0), atol=1e-5)
        there = look_at_origin(SOURCE_AZIMUTH_DEG + 45.0 * k, 20.0)
        np.testing.assert_allclose(rendered, there, atol=1e-5)
    np.testing.assert_allclose(shown[0], truth[0])
    assert Image.open(folder / "input.webp").size == (384, 384)
    strip = np.asarray(Image.open(folder / "truth.webp"))
    assert strip.shape == (128, 8 * 128, 4)
    assert strip[0, ::128, 0].tolist() == list(range(8))


@pytest.mark.parametrize("name", CHOSEN)
def test_a_shipped_example_is_whole_and_new_to_the_models(name):
    folder = ROOT / "examples" / "objects" / name
    stored = read_transforms(folder / "transforms.json")
    np.testing.assert_allclose(stored.poses[0], look_at_origin(0.0, 20.0), atol=1e-5)
    strip = np.asarray(Image.open(folder / "truth.webp"))
    assert strip.shape == (128, 128 * len(stored.poses), 4)
    with Image.open(folder / "input.webp") as image:
        assert image.mode == "RGBA" and image.size == (384, 384)
        small = np.asarray(image.resize((128, 128), Image.Resampling.BOX), dtype=float)
    # The first true view is the input, smaller.
    first = strip[:, :128].astype(float)
    assert np.abs(small - first)[..., 3].mean() < 4
    splits = ("test", "unseen", "test-models")
    held_out = {n for split in splits for n in read_split(SPLITS, split)[0]}
    assert name in held_out
