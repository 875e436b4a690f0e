import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hyperdemo.preprocess.frame import frame_input
from tests import tiny
from tests.learn.races import tokens_of
from tests.train import scenes
from tests.train.objects.test_collection import model
from train.view import race
from train.view.race import (
    backdrops,
    before_backdrops,
    choose,
    every_few,
    frozen,
    kind_of,
    make_race,
    shrunk,
)


def free(name, category, pack="kenney"):
    return model(object_id=f"{pack}.{name}", name=name.replace("-", " "), category=category)


@pytest.mark.parametrize(
    ("one", "kind"),
    [
        (free("sedan-sports", "vehicle"), "car"),
        (free("tree-pine-a", "plant"), "tree"),
        (free("tree-log", "plant"), None),
        (free("character-female-a", "person"), "person"),
        (free("railroad-damaged", "person"), None),  # filed there by mistake
        (free("chair", "chair", pack="aws"), None),
        (dataclasses.replace(free("chair", "chair"), licence="CC BY 4.0"), None),
    ],
)
def test_kinds_are_of_free_packs_and_go_by_the_name(one, kind):
    assert kind_of(one) == kind


def test_each_kind_is_spread_over_the_table():
    models = [free(f"sedan-{k}", "vehicle") for k in range(9)] + [free("chair", "chair")]
    chosen = choose(models, per_kind=3)
    assert list(chosen) == ["kenney.sedan-0", "kenney.sedan-3", "kenney.sedan-6", "kenney.chair"]
    assert set(chosen.values()) == {"car", "chair"}


def test_shrinking_averages_colour_times_opacity():
    rgba = torch.zeros(1, 1, 4, 4, 4, dtype=torch.uint8)
    rgba[0, 0, 0, 0] = torch.tensor([200, 100, 0, 255])
    rgba[0, 0, 0, 1] = torch.tensor([100, 0, 50, 255])
    small = shrunk(rgba, size=2)
    assert small[0, 0, 0, 0].tolist() == [150, 50, 25, 128]
    assert small[0, 0, 1:].max() == 0


def test_the_backdrop_stands_behind_the_object_and_nowhere_else(monkeypatch):
    wall = torch.tensor([0.2, 0.4, 0.6])
    monkeypatch.setattr(race, "backdrops", lambda n, size, generator: wall.expand(n, size, size, 3))
    rgba = torch.zeros(1, 1, 20, 20, 4, dtype=torch.uint8)
    rgba[:, :, 1:19, 1:19] = torch.tensor([250, 10, 30, 255])  # nine tenths, so it keeps its scale
    rgba[:, :, 1:19, 10:19, 3] = 128
    framed = torch.from_numpy(frame_input(rgba[0, 0].numpy(), size=20))[None, None]
    views = SimpleNamespace(rgba=rgba, framed=framed)
    seen = before_backdrops(views, inputs=1, generator=torch.Generator())
    expected = torch.tensor([51, 102, 153], dtype=torch.uint8).repeat(20, 20, 1)
    expected[1:19, 1:10] = torch.tensor([250, 10, 30], dtype=torch.uint8)
    half = 128 / 255 * torch.tensor([250.0, 10, 30]) + 127 / 255 * torch.tensor([51.0, 102, 153])
    expected[1:19, 10:19] = half.round().to(torch.uint8)
    assert (seen[0, 0].int() - expected.int()).abs().max() <= 1  # rounded over white before
    assert torch.equal(seen[0, 0, :, :10], expected[:, :10])


def test_backdrops_are_clouds_of_any_colour():
    walls = backdrops(64, size=32, generator=torch.Generator().manual_seed(0))
    assert walls.shape == (64, 32, 32, 3) and 0 <= walls.min() and walls.max() <= 1
    means, spread = walls.mean((1, 2)), walls.std((1, 2))
    assert means.min() < 0.25 and means.max() > 0.75 and 0.02 < spread.mean() < 0.15
    steps = (walls[:, :, 1:] - walls[:, :, :-1]).abs().mean()
    assert steps < spread.mean() / 4  # neighbours are nearly alike


def test_both_arms_read_the_same_pictures_beside_the_same_tokens(monkeypatch):
    monkeypatch.setattr(race, "SIDE", 16)
    monkeypatch.setattr(race, "INPUTS", 2)
    config = tiny.model_config(adapt="frozen")
    views = every_few(scenes.views_of(), n_views=3)
    generator = torch.Generator().manual_seed(race.SEED)
    seen = before_backdrops(views, inputs=2, generator=generator)
    np.testing.assert_allclose(views.poses[:, 1], scenes.views_of().poses[:, 2])
    made = make_race(views, backbone_file="", config=config)  # none: both are random, and alike
    assert torch.equal(made.inputs, seen[:, 0])
    seen_views = dataclasses.replace(views, framed=torch.cat([seen, views.framed[:, 2:]], 1))
    expected = tokens_of(frozen(config, backbone_file=None), seen_views, inputs=2)
    for tokens in made.tokens.values():
        torch.testing.assert_close(tokens, expected, rtol=1e-4, atol=1e-5)
    assert made.views.rgba.shape == (3, 3, 16, 16, 4)
