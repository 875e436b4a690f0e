import dataclasses

import numpy as np
import pytest
import torch

from hyperdemo.config import RayData
from hyperdemo.learn.batches import draw_batch
from hyperdemo.learn.photographs import NOISE, SHIFT, photographed, random_gammas
from tests.train import scenes

SIDE = 60


def squares(n):
    """A square of one colour each, amid white."""
    framed = torch.full((n, SIDE, SIDE, 3), 255, dtype=torch.uint8)
    framed[:, 15:45, 15:45] = torch.tensor([200, 90, 20], dtype=torch.uint8)
    return framed


def test_exposure_changes_input_and_target_alike(generator):
    views = scenes.views_of()
    data = dict(target_views=3, rays=30, near_share=0.7, mirror=0.0)
    seeds = [torch.Generator().manual_seed(3) for _ in range(2)]
    plain, batch = (
        draw_batch(views, RayData(**data, tone=tone), objects=60, generator=seed)
        for tone, seed in zip((0.0, 0.4), seeds, strict=True)
    )
    assert torch.equal(plain.drawn, batch.drawn) and torch.equal(plain.origins, batch.origins)
    torch.testing.assert_close(plain.rgba[..., 3], batch.rgba[..., 3])
    gammas = batch.rgba[..., :3].log() / plain.rgba[..., :3].log()
    found = []
    for k in range(60):
        inside = plain.rgba[k, :, 3] > 0.99
        gamma = gammas[k, inside].median(0).values
        torch.testing.assert_close(
            gammas[k, inside], gamma.expand(int(inside.sum()), 3), atol=0.02, rtol=0
        )
        expected = (255 * (plain.framed[k] / 255) ** gamma).round()
        assert (expected - batch.framed[k].float()).abs().max() <= 1
        found.append(gamma.log())
    found = torch.stack(found)
    assert found.abs().max() <= 0.4 * 1.25 + 0.01
    common = found.mean(1)
    assert 0.17 < common.std() < 0.3  # that of a uniform distribution is 0.4 / sqrt(3)
    assert 0.03 < (found - common[:, None]).std() < 0.08


def test_white_stays_white_under_any_exposure(generator):
    gammas = random_gammas(500, 0.7, generator)
    assert gammas.shape == (500, 1, 3)
    assert torch.equal(torch.ones(500, 9, 3) ** gammas, torch.ones(500, 9, 3))


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_the_share_of_inputs_that_are_changed(share, generator):
    framed = squares(300)
    changed = (photographed(framed, share, generator) != framed).flatten(1).any(1)
    assert abs(changed.float().mean() - share) < 0.08


def test_the_object_is_moved_scaled_and_noisy_on_white_ground(generator):
    worn = photographed(squares(400), 1.0, generator).numpy().astype(float)
    assert (worn[:, :5] == 255).all() and (worn[:, :, -5:] == 255).all()
    dark = 255 - worn[..., 2]
    place = np.arange(SIDE) + 0.5
    mass = dark.sum((1, 2))
    column = (dark.sum(1) * place).sum(1) / mass - SIDE / 2
    row = (dark.sum(2) * place).sum(1) / mass - SIDE / 2
    # What is drawn from ±SHIFT of the side evenly.
    for error in (row, column):
        assert abs(error).max() < SHIFT * SIDE * 1.08 and abs(error.mean()) < 0.3
        assert abs(error.std() / (SHIFT * SIDE / np.sqrt(3)) - 1) < 0.12
    side = np.sqrt(mass / (255 - 20))
    assert 27.5 < side.min() < 28.7 and 31.3 < side.max() < 32.7
    within = worn[:, 24:36, 24:36]
    noise = (within - within.mean((1, 2), keepdims=True)).std((1, 2, 3)) / 255
    assert noise.min() < 0.003 and 0.8 * NOISE < noise.max() < 1.1 * NOISE


def test_targets_are_not_touched_by_what_befalls_the_input(generator):
    views = dataclasses.replace(scenes.views_of())
    one, two = (
        draw_batch(
            views,
            RayData(rays=9, photographed=share),
            objects=20,
            generator=torch.Generator().manual_seed(1),
        )  # fmt: skip
        for share in (0.0, 1.0)
    )
    assert torch.equal(one.rgba, two.rgba) and not torch.equal(one.framed, two.framed)
