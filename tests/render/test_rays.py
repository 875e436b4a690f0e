import math

import numpy as np
import pytest
import torch

from hyperdemo.inr import InrParams, as_field
from hyperdemo.render.cameras import camera_rays, look_at_origin, pixel_grid
from hyperdemo.render.quadrature import Rendering, render_view
from hyperdemo.render.rays import RayLoss, render_rays
from tests import tiny


def rendered(params, *, size, samples, generator=None, azimuth_deg=0.0):
    """Each of the fields as a camera in front of it sees it."""
    pose = torch.from_numpy(look_at_origin(azimuth_deg, 0.0)).expand(len(params), -1, -1)
    pixels = pixel_grid(size).expand(len(params), -1, -1)
    origins, directions = camera_rays(pose, pixels, fov_deg=40.0, size=size)
    return render_rays(
        tiny.FIELD, params, origins, directions=directions, samples=samples, generator=generator
    )


@pytest.mark.parametrize("absolute_weight", [0.0, 0.5])
def test_the_loss_by_hand(absolute_weight):
    """Two rays: over white the targets are (0.9, 0.7, 0.5) and white."""
    rendering = Rendering(
        rgb=torch.tensor([[[0.9, 0.5, 0.5], [1.0, 1.0, 0.7]]]),
        alpha=torch.tensor([[0.5, 0.4]]),
        depth=torch.zeros(1, 2),
    )
    rgba = torch.tensor([[[0.8, 0.4, 0.0, 0.5], [0.3, 0.3, 0.3, 0.0]]])
    loss, colour = RayLoss(0.25, absolute_weight)(rendering, rgba)
    squared = (0.2**2 + 0.3**2) / 6
    absolute = (0.2 + 0.3) / 6 + 0.25 * 0.4 / 2
    assert colour.item() == pytest.approx(squared)
    expected = squared + 0.25 * 0.4**2 / 2 + absolute_weight * absolute
    assert loss.item() == pytest.approx(expected)


def test_rays_are_rendered_as_the_exact_renderer_does():
    params = tiny.params(batch=2)
    seen = rendered(params, size=10, samples=40, azimuth_deg=35.0)
    for index in range(2):
        view = render_view(
            as_field(tiny.FIELD, params[index]), torch.from_numpy(look_at_origin(35.0, 0.0)),
            fov_deg=40.0, size=10, n_samples=40,
        )  # fmt: skip
        np.testing.assert_allclose(seen.rgb[index], view.rgb.reshape(-1, 3), atol=1e-4)
        np.testing.assert_allclose(seen.alpha[index], view.alpha.flatten(), atol=1e-4)
        hit = view.alpha.flatten() > 1e-3
        np.testing.assert_allclose(seen.depth[index][hit], view.depth.flatten()[hit], atol=1e-3)
    assert seen.alpha.max() > 0.9 and seen.alpha.min() == 0


def test_stratified_samples_average_to_the_same(generator):
    params = tiny.params()
    fine = rendered(params, size=4, samples=2000).rgb
    draws = torch.stack(
        [rendered(params, size=4, samples=32, generator=generator).rgb for _ in range(60)]
    )
    assert draws.std(0).max() > 1e-3
    np.testing.assert_allclose(draws.mean(0), fine, atol=0.02)


def test_a_step_down_the_gradient_is_a_step_down():
    """By its squared length, to first order."""
    params, rgba = tiny.params(), torch.rand(1, 36, 4)
    leaves = [t.requires_grad_() for t in (*params.weights, *params.biases)]

    def loss_of(params):
        return RayLoss(0.5, 0.1)(rendered(params, size=6, samples=8), rgba)[0]

    loss = loss_of(params)
    loss.backward()
    assert all(t.grad.abs().max() > 0 for t in leaves)
    length2 = sum(t.grad.square().sum() for t in leaves).item()
    step = 1e-3 / math.sqrt(length2)
    moved = [(t - step * t.grad).detach() for t in leaves]
    again = loss_of(InrParams(tuple(moved[:3]), tuple(moved[3:])))
    assert (loss - again).item() == pytest.approx(step * length2, rel=0.05)


def test_the_loss_of_a_training_is_read_from_its_record():
    data = {"alpha_weight": 0.25, "absolute_weight": 0.125}
    assert RayLoss.recorded({"training": {"data": data}}) == RayLoss(0.25, 0.125)
    assert RayLoss.recorded({"training": {"data": {"alpha_weight": 0.5}}}) == RayLoss(0.5, 0.0)
    assert RayLoss.recorded({}) == RayLoss()
