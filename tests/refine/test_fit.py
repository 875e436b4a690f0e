"""Refinement: what is fitted is the picture, and what was given is left as it was."""

import dataclasses

import pytest
import torch

from hyperdemo.refine import InputCamera, refine
from hyperdemo.refine.camera import input_rays
from hyperdemo.refine.fit import LR, _Adam, straight
from hyperdemo.render.cameras import pixel_grid
from hyperdemo.render.rays import RayLoss, render_rays
from tests import tiny
from tests.tiny import Ball

CAMERA = InputCamera(20.0, (0.0, 0.0), 0.3)
WRONG = dataclasses.replace(CAMERA, centre=(0.05, 0.0))
FIELD = dataclasses.replace(tiny.FIELD, width=32)


@pytest.fixture(scope="module")
def picture():
    """A red ball on white, through the frame, in closed form: colour and opacity."""
    rays = input_rays(CAMERA.values(), pixel_grid(32) / 32)
    ball = Ball(density=30.0, radius=0.5, rgb=(0.9, 0.2, 0.1))
    rgb, alpha = ball.see(*(part.double().numpy() for part in rays))
    return (
        torch.from_numpy(rgb.reshape(32, 32, 3)).float(),
        torch.from_numpy(alpha.reshape(32, 32)).float(),
    )


def states(picture, params, *, steps, camera=CAMERA):
    rgb, alpha = picture
    return list(
        refine(FIELD, params, rgb, alpha=alpha, camera=camera, steps=steps, objective=RayLoss())
    )


def error_of(params, camera, rgb):
    origins, directions = input_rays(camera.values(), pixel_grid(32) / 32)
    with torch.no_grad():
        seen = render_rays(
            FIELD, params, origins[None], directions=directions[None], samples=48, generator=None
        )
    return (seen.rgb[0] - rgb.reshape(-1, 3)).square().mean().item()


def test_it_comes_to_show_the_picture(picture):
    params = tiny.params(FIELD)
    before = [w.clone() for w in params.weights]
    found = states(picture, params, steps=150, camera=WRONG)
    first, last = found[0], found[-1]
    assert [s.step for s in found] == list(range(1, 151))
    assert error_of(last.params, last.camera, picture[0]) < 0.3 * error_of(
        params, WRONG, picture[0]
    )
    assert last.error < 0.3 * first.error
    # Every number of the camera is fitted, since the picture says something of each.
    assert ((last.camera.values() - WRONG.values()).abs() > 1e-4).all()
    torch.testing.assert_close(list(params.weights), before, rtol=0, atol=0)
    # Each state is a value of its own, and nothing hangs on it that gradients would keep alive.
    assert not torch.equal(first.params.weights[0], last.params.weights[0])
    assert not last.params.weights[0].requires_grad


def test_it_is_deterministic_also_in_inference_mode(picture):
    params = tiny.params(FIELD)
    with torch.inference_mode():
        inside = states(picture, params, steps=3)[-1]
    assert torch.equal(
        inside.params.weights[0], states(picture, params, steps=3)[-1].params.weights[0]
    )


def test_the_learning_rate_falls_along_a_cosine(picture):
    """Adam moves a weight whose gradient keeps its sign by the learning rate in each step."""
    found = states(picture, tiny.params(FIELD), steps=8)
    weights = torch.stack([torch.cat([w.flatten() for w in s.params.weights]) for s in found])
    moved = weights.diff(dim=0).abs().amax(1)
    rates = LR * (1 + torch.cos(torch.pi * torch.arange(1, 8) / 8)) / 2
    torch.testing.assert_close(moved / rates, torch.ones(7), atol=0.35, rtol=0)


def test_colours_on_white_become_the_objects_own():
    own, alpha = torch.rand(4, 4, 3), torch.rand(4, 4).clamp_min(0.05)
    alpha[0, 0] = 0
    rgb = own * alpha[..., None] + 1 - alpha[..., None]
    found = straight(rgb, alpha)
    torch.testing.assert_close(found[..., 3], alpha)
    seen = alpha > 0
    torch.testing.assert_close(found[..., :3][seen], own[seen], atol=1e-4, rtol=0)
    assert ((found >= 0) & (found <= 1)).all()


def test_steps_are_those_of_the_librarys_adam(generator):
    start = torch.rand(5, generator=generator)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    mine, library = _Adam([ours]), torch.optim.Adam([theirs], lr=0.1)
    for _ in range(4):
        for parameter in (ours, theirs):
            (parameter**3).sum().backward()
        mine.step(lr=0.1)
        library.step()
        library.zero_grad()
    assert torch.equal(ours, theirs)
