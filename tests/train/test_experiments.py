import dataclasses

import pytest

from train.config import load_config
from train.experiments import Arm, Experiment, Sweep
from train.sweep import SWEEPS


def one(*arms, **budget):
    return Sweep("sound-cpu", budget, {"a": Experiment("A", "What?", arms)})


def test_an_arm_differs_from_the_configuration_in_what_it_names_and_in_nothing_else():
    sweep = one(Arm("ten", {"train_share": 0.1}), steps=7)
    run = sweep.run("a", sweep.experiments["a"].arms[0], 3)
    base = load_config("sound-cpu")
    assert run.config == dataclasses.replace(base, steps=7, train_share=0.1, seed=3)
    assert run.name == "sound-cpu model.init=foundation seed=3 steps=7 train_share=0.1"
    assert run.command == (
        "--config sound-cpu --set model.init=foundation --set seed=3 "
        "--set steps=7 --set train_share=0.1"
    )


def test_an_experiment_may_have_its_own_configuration_and_budget():
    own = Experiment("B", "How.", (Arm("b", {"lr": 2.0}),), base="view-cpu", budget={"steps": 3})
    sweep = dataclasses.replace(one(Arm("a"), steps=7), experiments={**one().experiments, "b": own})
    (run,) = sweep.runs(("b",))
    assert run.config == dataclasses.replace(load_config("view-cpu"), steps=3, lr=2.0)
    longer = sweep.with_steps(9)
    assert [r.config.steps for r in longer.runs(("b",))] == [9]
    assert longer.experiments["a"].budget == {"steps": 9}


def test_equal_arms_are_one_run_and_first_seeds_come_first():
    sweep = one(
        Arm("all", seeds=(0, 1)), Arm("again"), Arm("few", {"train_share": 0.1}, seeds=(0, 4))
    )
    runs = sweep.runs(("a",))
    assert [(r.config.train_share, r.config.seed) for r in runs] == [
        (1.0, 0), (0.1, 0), (1.0, 1), (0.1, 4),
    ]  # fmt: skip


def test_a_training_may_start_from_another_of_the_same_seed():
    sweep = one(
        Arm("few", {"train_share": 0.1}, before={"lr": 1.0}), Arm("few", {"train_share": 0.1})
    )
    run, plain = sweep.runs(("a",))
    assert run.config == plain.config and plain.before is None
    assert run.before == sweep.run("a", Arm("", {"lr": 1.0}), 0)
    assert run.name == f"{plain.name} after {run.before.name}"


ASKS_FOR_MORE = {"four times the rays"}
"""Arms whose question is what more samples per step would bring."""


def samples(config):
    """Stretches of sound or rays per step."""
    data = config.data
    each = data.stretches if config.model.task == "sound" else data.target_views * data.rays
    return config.batch * each


@pytest.mark.parametrize("task", SWEEPS)
def test_every_experiment_is_a_fair_comparison(task):
    """All arms of an experiment share the budget, but for those that ask for a larger one; an arm
    from scratch differs from its pretrained twin only in its initial weights and their rate."""
    sweep = SWEEPS[task]
    runs = sweep.runs(tuple(sweep.experiments))
    trainings = {str((run.config, run.before)) for run in runs}
    assert len({run.name for run in runs}) == len(trainings) == len(runs)
    assert all(run.config.model.task == task for run in runs)
    for name, experiment in sweep.experiments.items():
        configs = [
            sweep.run(name, arm, 0).config
            for arm in experiment.arms
            if arm.label not in ASKS_FOR_MORE
        ]
        assert len({(config.steps, samples(config)) for config in configs}) == 1
        twins = {}
        for arm in experiment.arms:
            config = sweep.run(name, arm, 0).config
            model = dataclasses.replace(config.model, init="foundation")
            alike = dataclasses.replace(config, model=model, lr_backbone=1.0)
            assert twins.setdefault(arm.label, alike) == alike
        assert experiment.title and experiment.question.endswith(".")
        axis = [arm.x for arm in experiment.arms]
        assert all(x is None for x in axis) or (experiment.x_label and None not in axis)
