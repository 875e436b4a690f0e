import numpy as np
import pytest

from train.view.batches import chances


def test_objects_are_drawn_by_the_weight_of_their_pack():
    assert chances(("a", "kit.b"), {}) is None
    ids = ("sofa", "kit.chair", "toys.duck", "toys.duck+2")
    shares = chances(ids, {"toys": 3.0, "sweet-home": 0.5})
    np.testing.assert_allclose(shares, np.array([0.5, 1, 3, 3]) / 7.5)
    with pytest.raises(ValueError, match=r"\['cars'\]; the packs are \['kit', 'sw"):
        chances(ids, {"cars": 1.0})
