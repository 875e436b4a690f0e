import numpy as np

from hyperdemo.render.cameras import look_at_origin
from tests.train import scenes


def test_poses_from_a_view_put_it_in_front():
    views = scenes.views_of()
    directions = scenes.angles(6, 31.0)
    for view in range(6):
        poses = views.poses_from(1, view)
        for pose, (azimuth, elevation) in zip(poses, directions, strict=True):
            expected = look_at_origin(float(azimuth - directions[view, 0]), float(elevation))
            np.testing.assert_allclose(pose, expected, atol=1e-5)
