import numpy as np
import pytest
import torch

from hyperdemo.inr import as_field
from hyperdemo.model import to_pixels
from hyperdemo.render.quadrature import render_view
from tests import tiny
from tests.train import scenes
from train.view.validate import quick_psnr

CPU = torch.device("cpu")


def psnr_by_hand(model, views):
    """Whole pictures from the exact renderer, of which every fourth pixel is then compared."""
    scores = []
    for obj in range(len(views)):
        with torch.no_grad():
            field = as_field(tiny.FIELD, model.encode(to_pixels(views.framed[obj, :1])))
        errors = []
        for view in (1, 2, 4, 5):  # four of the five others, spread
            pose = torch.from_numpy(scenes.pose_from(obj, 0, view, n_views=6))
            seen = render_view(field, pose, fov_deg=40.0, size=32, n_samples=32).rgb.numpy()
            truth = scenes.on_white(views.rgba[obj, view])
            errors.append((seen - truth)[2::4, 2::4] ** 2)
        scores.append(-10 * np.log10(np.mean(errors)))
    return np.mean(scores)


def test_agrees_with_whole_pictures():
    model, views = tiny.model(), scenes.views_of()
    found = quick_psnr(model, views, device=CPU)
    assert found == pytest.approx(psnr_by_hand(model, views), abs=1e-3)
    assert quick_psnr(model, views, device=CPU) == found
