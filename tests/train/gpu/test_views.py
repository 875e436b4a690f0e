import numpy as np

from hyperdemo.preprocess import frame_input
from tests.train import scenes
from train.gpu.views import frame, load_objects, save_objects


def test_views_are_framed_as_an_upload_is():
    rgba = scenes.views_of(n_views=4, size=64).rgba.flatten(0, 1)
    for size in (28, 112):  # on the CPU, and enlarged on the device
        found = frame(rgba, size=size).numpy().astype(int)
        expected = np.stack([frame_input(view, size=size) for view in rgba.numpy()])
        assert found.shape == expected.shape
        difference = np.abs(found - expected)
        assert difference.max() <= 1 and difference.mean() < 0.05


def test_objects_come_back_from_one_file(tmp_path):
    rng = np.random.default_rng(0)
    objects = {
        name: {
            "positions": rng.integers(0, 99, (3, n)).astype(np.uint16),
            "textures": np.zeros(n % 2, np.uint8),
        }
        for n, name in enumerate(("toys.car", "tree"), start=4)
    }
    save_objects(tmp_path / "objects", objects)
    found = load_objects(tmp_path / "objects")
    assert list(found) == list(objects)
    for name, arrays in objects.items():
        for field, values in arrays.items():
            assert found[name][field].dtype == values.dtype
            np.testing.assert_array_equal(found[name][field], values)
