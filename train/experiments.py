"""What a sweep is made of: experiments, their arms, and the configuration of each.

An arm differs from the configuration of its experiment only in what it names, and all arms of an
experiment have the same budget.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from train.config import TrainConfig, load_config

Changes = Mapping[str, Any]

_SCRATCH: Changes = {"model.init": "scratch"}
SCRATCH: Mapping[str, Changes] = {"view": _SCRATCH | {"lr_backbone": 3e-5}, "sound": _SCRATCH}
"""How the arm from scratch differs, by task: for pictures its encoder has its own learning rate."""
SHORT: Changes = {"steps": 300, "eval_every": 100, "ema": 0.98}
"""The budget of experiments that are about more than pretraining, since their runs are many."""
THREE = (0, 1, 2)
"""Seeds of arms that a claim is made about."""
PRETRAINED, FROM_SCRATCH = "pretrained", "from scratch"


@dataclass(frozen=True)
class Arm:
    """One answer to an experiment's question, with a run per seed.

    Attributes:
        label: beside its bar or in its row.
        changes: what differs from the sweep's configuration, with keys as `load_config` takes.
        before: what differs in a training that this one starts from; None starts afresh.
        series: arms of the same series share a colour, and a line where they have an x.
        x: where it stands on the experiment's axis, if that has numbers.
    """

    label: str
    changes: Changes = field(default_factory=dict)
    series: str = PRETRAINED
    x: float | None = None
    seeds: tuple[int, ...] = (0,)
    before: Changes | None = None


@dataclass(frozen=True)
class Experiment:
    """A question and the arms that answer it.

    Attributes:
        arms: in the order in which they are shown.
        x_label: of the axis of numbers; "" for bars.
        x_from: key of the results' rows that gives the x of arms without one of their own.
        reading: what the results mean, in a few plain sentences; "" until they are known.
        base, budget: instead of the sweep's, where given.
    """

    title: str
    question: str
    arms: tuple[Arm, ...]
    x_label: str = ""
    x_from: str = ""
    reading: str = ""
    base: str = ""
    budget: Changes | None = None


@dataclass(frozen=True)
class Run:
    """One training of a sweep.

    Attributes:
        name: the configuration's name and what differs from it; the same for equal runs.
        changes: all of what differs.
        before: the training whose weights it starts from.
    """

    name: str
    changes: Changes
    config: TrainConfig
    before: Run | None = None

    @property
    def command(self) -> str:
        """The arguments of `train.run` that train it by itself."""
        changes = (f"--set {key}={value}" for key, value in self.changes.items())
        return " ".join(["--config", self.name.split()[0], *changes])


@dataclass(frozen=True)
class Sweep:
    """All experiments of a task.

    Attributes:
        base: configuration in `train/configs` that arms differ from.
        budget: what differs from it in every arm.
    """

    base: str
    budget: Changes
    experiments: Mapping[str, Experiment]

    def run(self, name: str, arm: Arm, seed: int) -> Run:
        """The training of an experiment's arm from a seed; equal arms share one."""
        run = self._run(name, arm.changes, seed)
        if arm.before is None:
            return run
        before = self._run(name, arm.before, seed)
        return replace(run, name=f"{run.name} after {before.name}", before=before)

    def _run(self, name: str, own: Changes, seed: int) -> Run:
        asked = self.experiments[name]
        base = asked.base or self.base
        budget = self.budget if asked.budget is None else asked.budget
        changes = {"model.init": "foundation", **budget, **own, "seed": seed}
        changes = dict(sorted(changes.items()))
        words = " ".join([base, *(f"{key}={value}" for key, value in changes.items())])
        return Run(words, changes, load_config(base, overrides=changes))

    def with_steps(self, steps: int) -> Sweep:
        """The same with another number of steps in every run."""
        experiments = {
            name: replace(one, budget={**(self.budget if one.budget is None else one.budget),
                                       "steps": steps})
            for name, one in self.experiments.items()
        }  # fmt: skip
        return replace(self, experiments=experiments)

    def runs(self, experiments: tuple[str, ...]) -> list[Run]:
        """The different runs of some experiments, in their order: every first seed first."""
        arms = [(name, arm) for name in experiments for arm in self.experiments[name].arms]
        rounds = range(max(len(arm.seeds) for _, arm in arms))
        wanted = [
            self.run(name, arm, arm.seeds[k])
            for k in rounds
            for name, arm in arms
            if k < len(arm.seeds)
        ]
        return list({run.name: run for run in wanted}.values())


def describe(sweep: Sweep, names: Sequence[str]) -> dict[str, Any]:
    """Experiments as the results name them: their words, and the runs of each arm."""
    found = {}
    for name in names:
        experiment = sweep.experiments[name]
        arms = [
            {"label": arm.label, "series": arm.series, "x": arm.x,
             "runs": [sweep.run(name, arm, seed).name for seed in arm.seeds]}
            for arm in experiment.arms
        ]  # fmt: skip
        words = ("title", "question", "x_label", "x_from", "reading")
        found[name] = {key: getattr(experiment, key) for key in words} | {"arms": arms}
    return found


@dataclass(frozen=True)
class Pairs:
    """Experiments that both tasks have, with the task's own arm from scratch."""

    scratch: Changes

    def both(
        self,
        label: str,
        changes: Changes,
        *,
        x: float | None = None,
        seeds: tuple[int, ...] = (0,),
        before: Changes | None = None,
    ) -> tuple[Arm, Arm]:
        """The pretrained arm of a label and its twin from scratch; `before` is of both."""
        scratch, scratch_before = (own if own is None else {**own, **self.scratch}
                                   for own in (changes, before))  # fmt: skip
        return (
            Arm(label, changes, PRETRAINED, x, seeds, before),
            Arm(label, scratch, FROM_SCRATCH, x, seeds, scratch_before),
        )

    def adaptation(self, reading: str = "") -> Experiment:
        """How much of the encoder must be trained?"""
        return Experiment(
            "How much of the encoder must be trained?",
            "From nothing of it but the new parts to all of it; scratch trains all.",
            (
                Arm("frozen", {"model.adapt": "frozen"}, "frozen", seeds=THREE),
                Arm("prompt tuning", {"model.adapt": "prompt"}, "prompt tuning", seeds=THREE),
                Arm("LoRA, rank 8", {"model.adapt": "lora"}, "LoRA", seeds=THREE),
                Arm("full fine-tuning", seeds=THREE),
                Arm("from scratch", self.scratch, FROM_SCRATCH, seeds=THREE),
            ),
            x_label="trainable parameters",
            x_from="trainable_parameters",
            reading=reading,
        )

    def parts(self, *spans: str) -> Experiment:
        """Which part of the pretrained encoder is it that helps? Its blocks by spans, as "1-4"."""
        labels = {
            "attention": "attention alone", "mlp": "MLPs alone", "norms": "norms alone",
            "embeddings": "embeddings of patches and positions alone",
            **{f"blocks {span}": f"blocks {span.replace('-', ' to ')} alone" for span in spans},
            "permuted": "every matrix permuted: same values, nothing learned",
        }  # fmt: skip
        return Experiment(
            "Which part of the pretraining is it?",
            "One part of the encoder as it was pretrained, the rest random; all of it is trained.",
            (
                Arm("all of it", seeds=THREE),
                *(Arm(label, {"pretrained_part": p}, seeds=THREE) for p, label in labels.items()),
                Arm("nothing: from scratch", self.scratch, FROM_SCRATCH, seeds=THREE),
            ),
        )

    def shares(self, seeds: Mapping[int, tuple[int, ...]]) -> tuple[Arm, ...]:
        """Both arms on shares of the training data in per cent, with the seeds of each."""
        arms: list[Arm] = []
        for percent, of in seeds.items():
            changes = {} if percent == 100 else {"train_share": percent / 100}
            arms += self.both(f"{percent} %", changes, x=percent, seeds=of)
        return tuple(arms)
