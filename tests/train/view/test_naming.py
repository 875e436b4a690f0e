import pytest
import torch

from train.view.naming import Gallery


def test_views_are_named_after_their_nearest_picture():
    """Features on the unit circle: the nearest is the one at the smallest angle."""

    def at(*degrees):
        angles = torch.deg2rad(torch.tensor(degrees))
        return torch.stack([angles.cos(), angles.sin()], 1)

    chairs = Gallery(at(0.0, 20.0, 90.0), ("a", "a", "b"), ("chair",) * 3)
    lamp = Gallery(at(180.0), ("c",), ("lamp",))
    gallery = Gallery.joined([chairs, lamp])
    # Nearest: a, a, b and c.
    found = gallery.name(at(-10.0, 40.0, 70.0, 170.0), name="a", kind="chair")
    assert found == {"named": pytest.approx(0.5), "named_class": pytest.approx(0.75)}
    assert gallery.name(at(200.0), name="c", kind="lamp") == {"named": 1.0, "named_class": 1.0}
