import dataclasses
import itertools

import numpy as np
import pytest
import torch

from hyperdemo.config import RayData
from hyperdemo.learn.batches import UNLABELLED_ELEVATION_DEG, draw_batch, near_object
from hyperdemo.render.cameras import camera_rays, look_at_origin, pixel_grid
from tests.tiny import Ball
from tests.train import scenes

ORDERS = tuple(itertools.permutations(range(3)))


@pytest.fixture(scope="module")
def views():
    """Every framed input says which it is: red the object, green the view, blue its right half."""
    made = scenes.views_of()
    framed = torch.zeros_like(made.framed)
    framed[..., 0] = torch.arange(3)[:, None, None, None]
    framed[..., 1] = torch.arange(6)[:, None, None]
    framed[..., 14:, 2] = 255
    return dataclasses.replace(made, framed=framed)


def batch_of(views, generator, *, objects=40, **changes):
    wanted = {"target_views": 3, "rays": 30, "near_share": 0.7, "mirror": 0.0} | changes
    return draw_batch(views, RayData(**wanted), objects=objects, generator=generator)


def input_of(framed):
    """Object, view and whether it is mirrored."""
    obj, view = framed[0, 0, :2].tolist()
    return obj, view, bool(framed[0, 0, 2])


def seen_by(batch, index, views):
    """What the rays of one object must see, from the ball turned into the input view's world."""
    obj, view, mirrored = input_of(batch.framed[index])
    azimuth = scenes.angles(6, 31.0 * obj)[view, 0]
    described = scenes.BALLS[obj]
    ball = Ball(**described | {"azimuth_deg": described["azimuth_deg"] - azimuth})
    if mirrored:
        ball.centre[0] *= -1
    rays = batch.origins[index].double().numpy(), batch.directions[index].double().numpy()
    return ball.see(*rays)


@pytest.mark.parametrize("mirror", [0.0, 0.5])
def test_rays_see_the_object_from_the_world_of_any_input_view(views, generator, mirror):
    batch = batch_of(views, generator, mirror=mirror)
    assert batch.framed.shape == (40, 28, 28, 3) and batch.rgba.shape == (40, 90, 4)
    inputs = {input_of(framed) for framed in batch.framed}
    assert len({(obj, view) for obj, view, _ in inputs}) > 12  # of the 18 that there are
    share = np.mean([input_of(framed)[2] for framed in batch.framed])
    assert share == 0 if mirror == 0 else 0.25 < share < 0.75
    np.testing.assert_allclose(batch.origins.norm(dim=-1), 3.0, atol=1e-5)
    hits = 0
    for index in range(40):
        rgb, alpha = seen_by(batch, index, views)
        rgba = batch.rgba[index].numpy()
        over_white = rgba[:, :3] * rgba[:, 3:] + 1 - rgba[:, 3:]
        np.testing.assert_allclose(rgba[:, 3], alpha, atol=0.02)
        np.testing.assert_allclose(over_white, rgb, atol=0.02)
        hits += (alpha > 0.5).sum()
    assert 0.15 < hits / (40 * 90) < 0.8


def test_without_labels_the_input_picture_is_all_that_is_asked_for(generator):
    views = scenes.views_of()
    changes = dict(objects=30, targets="input", target_views=2, mirror=0.0)
    batch = batch_of(views, generator, **changes)
    usual = torch.from_numpy(look_at_origin(0.0, UNLABELLED_ELEVATION_DEG))
    torch.testing.assert_close(batch.origins, usual[:3, 3].expand_as(batch.origins))
    _, towards = camera_rays(usual, pixel_grid(32), fov_deg=scenes.FOV_DEG, size=32)
    for directions, rgba, (obj, view) in zip(
        batch.directions, batch.rgba, batch.drawn.tolist(), strict=True
    ):
        # Every ray has the colour of the input picture where that camera sees it.
        pixels = torch.cdist(directions, towards.reshape(-1, 3)).argmin(dim=1)
        seen = views.rgba[obj, view].reshape(-1, 4)[pixels].float() / 255
        torch.testing.assert_close(rgba, seen)


def test_the_generator_alone_decides(views):
    one, two, other = (batch_of(views, torch.Generator().manual_seed(seed)) for seed in (4, 4, 5))
    for name in ("framed", "origins", "directions", "rgba"):
        assert torch.equal(getattr(one, name), getattr(two, name))
    assert not torch.equal(one.origins, other.origins)


def test_exchanging_colours_alike_in_input_and_target(generator):
    views = scenes.views_of()
    batch = batch_of(views, generator, objects=300, recolour=0.6)
    plain = np.array([ball["rgb"] for ball in scenes.BALLS])
    seen, moved = set(), 0
    for framed, rgba in zip(batch.framed.numpy() / 255, batch.rgba.numpy(), strict=True):
        colour = rgba[rgba[:, 3] > 0.99][0, :3]
        pairs = [(np.abs(plain[k][list(p)] - colour).max(), k, p) for k in range(3) for p in ORDERS]
        error, obj, order = min(pairs)
        assert error < 0.01
        shown = np.median(framed[framed.sum(2) < 2.4], axis=0)  # the ball, over white
        np.testing.assert_allclose(shown, colour, atol=0.02)
        seen.add((obj, order))
        moved += order != (0, 1, 2)
    assert len(seen) == 18
    assert 0.4 < moved / 300 < 0.6  # a sixth of the drawn orders changes nothing


@pytest.mark.parametrize("near_share", [0.0, 0.5, 1.0])
def test_the_share_of_rays_near_the_object(views, generator, near_share):
    """Colours hold the pixel's place, so that the batch tells where its rays went through."""
    size = views.size
    rgba = torch.zeros_like(views.rgba)
    rgba[..., 0] = torch.arange(size)  # column
    rgba[..., 1] = torch.arange(size)[:, None]  # row
    rgba[..., 10:16, 20:24, 3] = 1  # the faintest object there can be
    batch = batch_of(
        dataclasses.replace(views, rgba=rgba), generator, rays=100, near_share=near_share
    )
    column, row = (255 * batch.rgba[..., :2]).round().unbind(-1)
    near = (column >= 16) & (column < 28) & (row >= 6) & (row < 20)
    area = 12 * 14 / size**2
    expected = near_share + (1 - near_share) * area
    assert near.float().mean().item() == pytest.approx(expected, abs=0.02)
    if near_share < 1:  # and the rest falls anywhere
        assert len(torch.unique(column)) == len(torch.unique(row)) == size
    # Near the object no pixel is preferred.
    within = column[near] - 16
    assert within.mean().item() == pytest.approx(5.5, abs=0.15)


def test_a_view_without_any_object_gives_rays_all_the_same(views, generator):
    empty = dataclasses.replace(views, rgba=torch.zeros_like(views.rgba))
    assert batch_of(empty, generator, near_share=0.5).rgba.max() == 0


def test_near_is_the_object_and_four_pixels_round_it():
    rgba = torch.zeros(2, 12, 15, 4, dtype=torch.uint8)
    rgba[0, 2, 3, 3] = 1
    rgba[0, 9, 14, 3] = 255
    near = near_object(rgba)
    for y in range(12):
        for x in range(15):
            beside = [max(abs(y - v), abs(x - u)) <= 4 for v, u in ((2, 3), (9, 14))]
            assert near[0, y, x] == any(beside)
    assert not near[1].any()


def test_objects_are_drawn_as_likely_as_is_wished(views, generator):
    wanted = torch.tensor([0.6, 0.0, 0.4])
    batch = draw_batch(
        views, RayData(target_views=1, rays=1), objects=2000, generator=generator, chances=wanted
    )
    drawn = torch.bincount(batch.framed[:, 0, 0, 0].long(), minlength=3) / 2000
    np.testing.assert_allclose(drawn, wanted, atol=0.04)
    assert torch.equal(batch.drawn, batch.framed[:, 0, 0, :2].long())
