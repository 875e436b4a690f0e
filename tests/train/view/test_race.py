import dataclasses

import numpy as np
import pytest
import torch

from tests import tiny
from tests.learn.races import tokens_of
from tests.train import scenes
from tests.train.objects.test_collection import model
from train.view import race
from train.view.race import choose, every_few, frozen, kind_of, make_race, shrunk


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


def test_both_arms_read_the_same_pictures_beside_the_same_tokens(monkeypatch):
    monkeypatch.setattr(race, "SIDE", 16)
    monkeypatch.setattr(race, "INPUTS", 2)
    config = tiny.model_config(adapt="frozen")
    views = every_few(scenes.views_of(), n_views=3)
    np.testing.assert_allclose(views.poses[:, 1], scenes.views_of().poses[:, 2])
    made = make_race(views, backbone_file="", config=config)  # none: both are random, and alike
    expected = tokens_of(frozen(config, backbone_file=None), views, inputs=2)
    for tokens in made.tokens.values():
        torch.testing.assert_close(tokens, expected, rtol=1e-4, atol=1e-5)
    assert made.views.rgba.shape == (3, 3, 16, 16, 4)
