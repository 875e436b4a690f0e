import dataclasses

import pytest
import torch

from hyperdemo.config import RayData
from hyperdemo.learn import race as module
from hyperdemo.learn.race import Arm, Race, laps
from tests import tiny
from tests.learn import races
from tests.train import scenes
from train.config import ViewData
from train.state import TrainState
from train.view.task import ViewTask

CPU = torch.device("cpu")
DRAWN = dict(target_views=2, rays=16, samples=8, mirror=0.0, absolute_weight=0.3)


@pytest.fixture(scope="module")
def data():
    return races.race_data()


def test_a_step_is_training_s_own():
    """Weights after two steps, with a frozen encoder that runs and with tokens known beforehand."""
    views = scenes.views_of()
    config = scenes.train_config(
        model=tiny.model_config(adapt="frozen"), data=ViewData(**DRAWN), batch=3, lr=3e-3,
        lr_heads=2e-2, seed=7, steps=5, decay=module.DECAY,
    )  # fmt: skip
    model = tiny.model(adapt="frozen")
    model.heads.tokens.requires_grad_(False)
    arm = Arm(model.config, races.tokens_of(model, views), seed=7, rates=config)
    arm.heads.load_state_dict(model.heads.state_dict())
    state, task = TrainState(config, model, device=CPU), ViewTask(config, views, views, device=CPU)
    before = arm.heads.base[1].detach().clone()
    for step in range(2):
        scale = state.set_learning_rate()
        loss, _ = task.loss(model, generator=state.generator)
        state.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)
        state.optimizer.step()
        state.step += 1
        own = arm.loss(views, batch=3, data=RayData(**DRAWN))
        torch.testing.assert_close(own, loss, rtol=1e-4, atol=1e-6)
        for group in arm.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * scale
        module.descend(arm.optimizer, own, clip=config.clip)
        for name, expected in model.heads.named_parameters():
            found = arm.heads.get_parameter(name)
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5, msg=f"{step} {name}")
    assert (arm.heads.base[1] - before).abs().max() > 1e-3


def test_the_arms_differ_in_their_tokens_alone(data):
    race = Race(data, seed=3, n_objects=4)
    one, two = race.arms.values()
    for name, parameter in one.heads.named_parameters():
        assert torch.equal(parameter, two.heads.get_parameter(name))
    assert not torch.equal(one.tokens, two.tokens)
    assert torch.equal(one.generator.get_state(), two.generator.get_state())


def test_the_seed_decides_on_all_that_is_random(data):
    scores, held = [], []
    for seed in (3, 3, 4):
        race = Race(data, seed=seed, n_objects=4, last=3)
        for _ in range(3):
            race.step()
        scores.append(race.psnr("random"))
        held.append(race.held_out.rgba)
    assert torch.equal(scores[0], scores[1]) and torch.equal(held[0], held[1])
    assert not torch.equal(scores[0], scores[2])


def test_nobody_learns_from_what_is_held_out(data):
    for n_objects, expected in ((4, 4), (100, 6)):
        race = Race(data, seed=5, n_objects=n_objects)
        assert len(race.views) == expected and len(race.held_out) == 2
        assert not set(race.views.ids) & set(race.held_out.ids)
        for arm, tokens in data.tokens.items():
            of = dict(zip(data.views.ids, tokens, strict=True))
            for name, own in zip(race.views.ids, race.arms[arm].tokens, strict=True):
                assert torch.equal(own, of[name])


def test_laps_come_at_the_start_now_and_then_and_at_the_end(data):
    race = Race(data, seed=0, n_objects=4, last=5, shown=1)
    given = list(laps(race, every=2, seconds=600.0))
    stood = [lap for lap in given if lap]
    assert [(lap.step, lap.over) for lap in stood] == [(0, 0), (2, 0), (4, 0), (5, 1)]
    assert len(given) - len(stood) == 5  # it can be broken off after every step
    assert all(len(lap.psnr["random"]) == 2 for lap in stood)
    first, last = (lap.pictures["pretrained"] for lap in (stood[0], stood[-1]))
    assert first.shape == (1, 48, 48, 3) and 0 <= first.min() < 0.9
    assert (first - last).abs().max() > 1e-3  # it learns
    (only,) = laps(Race(data, seed=0, n_objects=4), every=2, seconds=0.0)
    assert only.over and only.step == 0


def test_rates_too_high_are_told(data):
    race = Race(data, seed=0, n_objects=4)
    with torch.no_grad():
        race.arms["random"].heads.base[0].fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        race.step()


def test_pace_is_a_factor_of_the_rates(data):
    race = Race(data, seed=0, n_objects=4, pace=0.5)
    assert race.arms["random"].rates == dataclasses.replace(
        module.RATES, lr=0.5 * module.RATES.lr, lr_heads=0.5 * module.RATES.lr_heads
    )
