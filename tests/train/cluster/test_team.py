import dataclasses

import pytest
import torch

from tests.train import scenes
from train.cluster.team import Team


def drawn(team, *, seed=0, step=0):
    generator = torch.Generator().manual_seed(5)
    team.seed(generator, seed=seed, step=step)
    return torch.rand(3, generator=generator).tolist()


def test_draws_differ_by_worker_step_and_seed_and_come_again():
    team = Team(1, 4)
    others = [
        drawn(Team(0, 4)), drawn(Team(2, 4)), drawn(team, step=1), drawn(team, seed=1),
        drawn(team),
    ]  # fmt: skip
    assert len({tuple(numbers) for numbers in others}) == 5
    assert drawn(team) == drawn(dataclasses.replace(team, size=2))


def test_a_worker_alone_goes_on_with_its_one_stream():
    expected = torch.rand(3, generator=torch.Generator().manual_seed(5)).tolist()
    assert drawn(Team()) == expected != drawn(Team(0, 2))


def test_each_takes_its_share_of_the_batch():
    config = scenes.train_config(batch=6)
    assert Team(2, 3).share_of(config) == dataclasses.replace(config, batch=2)
    assert Team().share_of(config) == config
    with pytest.raises(ValueError, match="a batch of 6 cannot be divided among 4 workers"):
        Team(size=4).share_of(config)


def test_values_that_must_be_the_same_are_compared(monkeypatch):
    def gather(found, own):
        found[:] = [own, 2.0]

    monkeypatch.setattr("torch.distributed.all_gather_object", gather)
    Team(0, 2).require_same(2.0, what="the step")
    with pytest.raises(RuntimeError, match=r"the workers differ in the step: \[1.0, 2.0\]"):
        Team(0, 2).require_same(1.0, what="the step")


def test_alone_the_loss_is_the_tasks_and_means_are_the_values(views):
    config = scenes.train_config()
    task, team = scenes.task_of(config, views), Team()
    model = torch.nn.Identity()
    assert team.leads and team.loss_of(task, model).func == task.loss
    assert team.mean({"loss": torch.tensor(0.25)}) == {"loss": 0.25}
    team.require_same(1.0, what="nothing")
