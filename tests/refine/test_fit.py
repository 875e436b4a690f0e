"""Refinement: what is fitted is the picture, and what was given is left as it was."""

import dataclasses

import pytest
import torch

from hyperdemo.refine import InputCamera, refine
from hyperdemo.refine.camera import input_rays
from hyperdemo.refine.fit import LR, straight
from hyperdemo.render.cameras import pixel_grid
from hyperdemo.render.rays import render_rays
from tests import tiny
from tests.tiny import Ball

CAMERA = InputCamera(20.0, (0.0, 0.0), 0.3)
FIELD = dataclasses.replace(tiny.FIELD, width=32)


@pytest.fixture(scope="module")
def picture():
    """A red ball on white, through the frame, in closed form."""
    origins, directions = input_rays(CAMERA.values(), pixel_grid(32) / 32)
    ball = Ball(density=30.0, radius=0.5, rgb=(0.9, 0.2, 0.1))
    rgb, alpha = ball.see(origins.double().numpy(), directions.double().numpy())
    shape = (32, 32)
    return (
        torch.from_numpy(rgb.reshape(*shape, 3)).float(),
        torch.from_numpy(alpha.reshape(shape)).float(),
    )


def error_of(params, camera, rgb):
    origins, directions = input_rays(camera.values(), pixel_grid(32) / 32)
    with torch.no_grad():
        seen = render_rays(
            FIELD, params, origins[None], directions=directions[None], samples=48, generator=None
        )
    return (seen.rgb[0] - rgb.reshape(-1, 3)).square().mean().item()


def test_it_comes_to_show_the_picture(picture):
    rgb, alpha = picture
    params = tiny.params(FIELD)
    before = [w.clone() for w in params.weights]
    states = list(refine(FIELD, params, rgb, alpha=alpha, camera=CAMERA, steps=150))
    assert [s.step for s in states] == list(range(1, 151))
    start, end = error_of(params, CAMERA, rgb), error_of(states[-1].params, states[-1].camera, rgb)
    assert end < 0.3 * start
    assert states[-1].error < 0.3 * states[0].error
    for was, now in zip(before, params.weights, strict=True):
        assert torch.equal(was, now)
    # Each state is a value of its own, and nothing hangs on it that gradients would keep alive.
    assert not torch.equal(states[0].params.weights[0], states[-1].params.weights[0])
    assert not states[-1].params.weights[0].requires_grad


def test_the_same_seed_gives_the_same_and_inference_mode_does_not_matter(picture):
    rgb, alpha = picture
    params = tiny.params(FIELD)

    def last(seed):
        *_, state = refine(FIELD, params, rgb, alpha=alpha, camera=CAMERA, steps=3, seed=seed)
        return state

    with torch.inference_mode():
        inside = last(0)
    assert torch.equal(inside.params.weights[0], last(0).params.weights[0])
    assert not torch.equal(last(1).params.weights[0], last(0).params.weights[0])


def test_the_learning_rate_falls_along_a_cosine(picture):
    """Adam moves a weight whose gradient keeps its sign by the learning rate in each step."""
    rgb, alpha = picture
    states = refine(FIELD, tiny.params(FIELD), rgb, alpha=alpha, camera=CAMERA, steps=8)
    weights = torch.stack([torch.cat([w.flatten() for w in s.params.weights]) for s in states])
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


def test_the_camera_is_fitted_with_it(picture):
    """Every number of it moves, since the picture says something of each."""
    rgb, alpha = picture
    wrong = dataclasses.replace(CAMERA, centre=(0.05, 0.0))
    *_, state = refine(FIELD, tiny.params(FIELD), rgb, alpha=alpha, camera=wrong, steps=40)
    assert ((state.camera.values() - wrong.values()).abs() > 1e-4).all()
