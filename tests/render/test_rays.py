import math

import numpy as np
import pytest
import torch

from hyperdemo.inr import InrParams, as_field
from hyperdemo.render.cameras import camera_rays, look_at_origin, pixel_grid
from hyperdemo.render.quadrature import Rendering, render_view
from hyperdemo.render.rays import RayLoss, render_rays
from tests import tiny


def test_the_loss_by_hand():
    """Two rays: over white the targets are (0.9, 0.7, 0.5) and white."""
    rendering = Rendering(
        rgb=torch.tensor([[[0.9, 0.5, 0.5], [1.0, 1.0, 0.7]]]),
        alpha=torch.tensor([[0.5, 0.4]]),
        depth=torch.zeros(1, 2),
    )
    rgba = torch.tensor([[[0.8, 0.4, 0.0, 0.5], [0.3, 0.3, 0.3, 0.0]]])
    loss, colour = RayLoss(0.25, 0.0)(rendering, rgba)
    assert colour.item() == pytest.approx((0.2**2 + 0.3**2) / 6)
    assert loss.item() == pytest.approx((0.2**2 + 0.3**2) / 6 + 0.25 * 0.4**2 / 2)


def test_a_squared_error_is_least_at_the_mean_an_absolute_one_at_the_median():
    """A ray that meets an object in one of five cases: fog of a fifth, or nothing."""
    rgba = torch.tensor([0.0, 0.0, 0.0, 1.0]) * torch.tensor([1, 0, 0, 0, 0])[None, :, None]
    guesses = torch.linspace(0, 1, 101)

    def best(absolute_weight):
        losses = []
        for alpha in guesses:
            seen = Rendering((1 - alpha).expand(1, 5, 3), alpha.expand(1, 5), torch.zeros(1, 5))
            loss, _ = RayLoss(0.5, absolute_weight)(seen, rgba)
            losses.append(loss)
        return guesses[torch.stack(losses).argmin()].item()

    assert best(0.0) == pytest.approx(0.2)
    assert best(1e3) == pytest.approx(0.0, abs=1e-6)
    # Between them: a squared slope of 2 (a - 1/5) against an absolute one of 3/5 of its weight.
    assert best(0.2) == pytest.approx(0.2 - 0.2 * 0.6 / 2)


def test_opacity_tells_a_white_surface_from_none():
    wall = Rendering(torch.ones(1, 1, 3), torch.ones(1, 1), torch.zeros(1, 1))
    nothing = torch.tensor([[[1.0, 1.0, 1.0, 0.0]]])
    loss, colour = RayLoss(0.5, 0.0)(wall, nothing)
    assert colour == 0 and loss.item() == pytest.approx(0.5)


def test_rays_are_rendered_as_the_exact_renderer_does():
    params = tiny.params(batch=2)
    pose = torch.from_numpy(look_at_origin(35.0, 20.0))
    origins, directions = camera_rays(pose, pixel_grid(10), fov_deg=40.0, size=10)
    both = [part.expand(2, -1, -1) for part in (origins, directions)]
    seen = render_rays(tiny.FIELD, params, both[0], directions=both[1], samples=40, generator=None)
    for index in range(2):
        field = as_field(tiny.FIELD, params[index])
        view = render_view(field, pose, fov_deg=40.0, size=10, n_samples=40)
        np.testing.assert_allclose(seen.rgb[index], view.rgb.reshape(-1, 3), atol=1e-4)
        np.testing.assert_allclose(seen.alpha[index], view.alpha.flatten(), atol=1e-4)
        hit = view.alpha.flatten() > 1e-3
        np.testing.assert_allclose(seen.depth[index][hit], view.depth.flatten()[hit], atol=1e-3)
    assert seen.alpha.max() > 0.9 and seen.alpha.min() == 0


def test_stratified_samples_average_to_the_same(generator):
    params = tiny.params()
    origins, directions = (
        part[None]
        for part in camera_rays(
            torch.from_numpy(look_at_origin(0.0, 0.0)), pixel_grid(4), fov_deg=30.0, size=4
        )
    )

    def colours(samples, generator=None):
        return render_rays(
            tiny.FIELD, params, origins, directions=directions, samples=samples,
            generator=generator,
        ).rgb  # fmt: skip

    fine = colours(2000)
    draws = torch.stack([colours(32, generator) for _ in range(60)])
    assert draws.std(0).max() > 1e-3
    np.testing.assert_allclose(draws.mean(0), fine, atol=0.02)


def test_a_step_down_the_gradient_is_a_step_down():
    """By its squared length, to first order."""
    origins, directions = (
        part[None]
        for part in camera_rays(
            torch.from_numpy(look_at_origin(0.0, 0.0)), pixel_grid(6), fov_deg=40.0, size=6
        )
    )
    params = tiny.params()
    leaves = [t.requires_grad_() for t in (*params.weights, *params.biases)]
    rgba = torch.rand(1, 36, 4)

    def loss_of(params):
        rendering = render_rays(
            tiny.FIELD, params, origins, directions=directions, samples=8, generator=None
        )
        return RayLoss(0.5, 0.1)(rendering, rgba)[0]

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
