"""What was measured, as the page tells and draws it: `weights/evidence/measured.json`.

`python -m train.report --write` makes that file of all results; the page reads nothing else.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hyperdemo.metrics.paired import Paired
from hyperdemo.results.verdicts import Verdict

SPLITS: Mapping[str, tuple[str, ...]] = {
    "view": ("test", "unseen", "test-models"),
    "sound": (
        "test", "test-speakers", "unseen", "test-language", "test-music", "test-effects",
        "test-kind",
    ),
}  # fmt: skip
"""Of those that a task is scored on, what the page shows."""
FILE_NAME = "evidence/measured.json"


@dataclass(frozen=True)
class Metric:
    """A number that answers are compared by.

    Attributes:
        key: in the results.
        name: as shown.
        unit: "dB" or "".
        higher: whether higher is better.
        digits: after the point, when shown.
        noticed: the least difference that people notice, by rule of thumb; None where there is no
            such rule.
    """

    key: str
    name: str
    unit: str = ""
    higher: bool = True
    digits: int = 2
    noticed: float | None = None

    @property
    def axis(self) -> str:
        """Beside an axis, and for choosing it."""
        return f"{self.name}{f' ({self.unit})' if self.unit else ''} {'↑' if self.higher else '↓'}"

    def text(self, value: float) -> str:
        """A value, rounded, with a minus as long as a plus."""
        return f"{value:.{self.digits}f}".replace("-", "−")


THINGS = {"view": "objects", "sound": "prompts"}
"""What the scores of a task are of."""

METRICS: Mapping[str, tuple[Metric, ...]] = {
    "sound": (
        Metric("stoi", "STOI", digits=3, noticed=0.02),
        Metric("si_snr", "SI-SNR", "dB", noticed=1.0),
        Metric("pesq", "PESQ", noticed=0.2),
        Metric("lsd", "LSD", "dB", higher=False, noticed=1.0),
        Metric("psnr", "PSNR", "dB", noticed=1.0),
        Metric("visqol", "ViSQOL", noticed=0.2),
    ),
    "view": (
        Metric("psnr", "PSNR", "dB", noticed=0.5),
        Metric("ssim", "SSIM", digits=3, noticed=0.02),
        Metric("perceptual", "Perceptual distance", higher=False, digits=3),
    ),
}

CHECKS: Mapping[str, tuple[Metric, ...]] = {
    "sound": (Metric("snr", "validation SNR", "dB"), Metric("stoi", "validation STOI", digits=3)),
    "view": (Metric("psnr", "validation PSNR", "dB"),),
}
"""What a row of a training's curve holds after its step."""


@dataclass(frozen=True)
class Measured:
    """Means over a split.

    Attributes:
        values: by metric, and standard errors as `<metric>_stderr`.
        n: objects or prompts.
        of: as many are in the split.
    """

    values: Mapping[str, float]
    n: int | None = None
    of: int | None = None

    def stderr(self, metric: str) -> float | None:
        return self.values.get(f"{metric}_stderr")


@dataclass(frozen=True)
class Training:
    """How a shipped model came about: `curves`, (step, value) by key of `CHECKS`, are of its last
    training; those that it started from took `before` steps, and all together `minutes`."""

    curves: Mapping[str, tuple[tuple[float, float], ...]]
    steps: int | None = None
    minutes: float | None = None
    hardware: str = ""
    before: int = 0


@dataclass(frozen=True)
class Run:
    """One training of a sweep: `splits` are its scores."""

    splits: Mapping[str, Measured]
    steps: int | None = None
    hardware: str = ""


@dataclass(frozen=True)
class Spread:
    """Several seeds' values; `sd` with n − 1, None of a single one."""

    mean: float
    sd: float | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class Arm:
    """One answer to an experiment's question, one run per seed."""

    label: str
    series: str
    x: float | None
    runs: tuple[Run, ...]

    def spread(self, metric: str, split: str) -> Spread | None:
        """Over its seeds; None where none was measured."""
        measured = [run.splits[split].values for run in self.runs if split in run.splits]
        values = tuple(found[metric] for found in measured if metric in found)
        if not values:
            return None
        sd = statistics.stdev(values) if len(values) > 1 else None
        return Spread(statistics.fmean(values), sd, values)


@dataclass(frozen=True)
class Experiment:
    """A question and what was measured of its arms.

    `yardsticks` are answers without a hypernetwork, by name and split.
    """

    title: str
    question: str
    reading: str
    x_label: str
    arms: tuple[Arm, ...]
    yardsticks: Mapping[str, Mapping[str, Measured]] = field(default_factory=dict)

    @property
    def has_axis(self) -> bool:
        """Whether all arms stand somewhere on an axis of numbers."""
        return all(arm.x is not None for arm in self.arms)

    def beside(self, metric: str, split: str) -> dict[str, Measured]:
        """The yardsticks that have a value."""
        measured = {name: splits.get(split) for name, splits in self.yardsticks.items()}
        return {name: one for name, one in measured.items() if one and metric in one.values}


@dataclass(frozen=True)
class RatePoint:
    """A codec at a setting."""

    label: str
    kbit_s: float
    values: Mapping[str, float]


@dataclass(frozen=True)
class Rates:
    """Quality against bit rate, codec by codec."""

    curves: Mapping[str, tuple[RatePoint, ...]]
    split: str = "test"
    n: int | None = None
    window_s: float | None = None
    reading: str = ""


@dataclass(frozen=True)
class TaskEvidence:
    """All that is known of a task: "view" or "sound".

    Attributes:
        answers: scores by split, by answer, in the order of the file.
        trainings: of the shipped models.
        paired: pretrained minus from scratch, by split and metric.
        same: of each answer that was measured on fewer objects than the models, by split, what
            the models reach on the same.
        verdicts: on the paper's claims.
    """

    task: str
    answers: Mapping[str, Mapping[str, Measured]] = field(default_factory=dict)
    trainings: Mapping[str, Training] = field(default_factory=dict)
    paired: Mapping[str, Mapping[str, Paired]] = field(default_factory=dict)
    same: Mapping[str, Mapping[str, Mapping[str, Measured]]] = field(default_factory=dict)
    experiments: tuple[Experiment, ...] = ()
    rates: Rates | None = None
    verdicts: tuple[Verdict, ...] = ()

    def _measured(self) -> list[tuple[str, Measured]]:
        runs = [run for exp in self.experiments for arm in exp.arms for run in arm.runs]
        return [
            pair for splits in (*self.answers.values(), *(run.splits for run in runs))
            for pair in splits.items()
        ]  # fmt: skip

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Those with a value somewhere."""
        curves = self.rates.curves.values() if self.rates else ()
        known = [measured.values for _, measured in self._measured()]
        known += [point.values for curve in curves for point in curve]
        return tuple(m for m in METRICS[self.task] if any(m.key in values for values in known))

    @property
    def splits(self) -> tuple[str, ...]:
        """Those with a value somewhere; the first if there is none, as for bit rates alone."""
        known = {split for split, _ in self._measured()}
        own = SPLITS[self.task]
        return tuple(split for split in own if split in known) or own[:1]

    def has(self, metric: str, split: str) -> bool:
        """Whether anything was measured by this metric on this split."""
        return any(metric in one.values for own, one in self._measured() if own == split)

    def __bool__(self) -> bool:
        return bool(self.metrics)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TaskEvidence:
        """Rebuild from `dataclasses.asdict`, also by way of JSON."""

        def measured(splits: Mapping[str, Any]) -> dict[str, Measured]:
            return {split: Measured(**one) for split, one in splits.items()}

        def run(one: Mapping[str, Any]) -> Run:
            return Run(**{**one, "splits": measured(one["splits"])})

        def arm(one: Mapping[str, Any]) -> Arm:
            return Arm(**{**one, "runs": tuple(map(run, one["runs"]))})

        def experiment(one: Mapping[str, Any]) -> Experiment:
            yardsticks = {name: measured(splits) for name, splits in one["yardsticks"].items()}
            arms = tuple(map(arm, one["arms"]))
            return Experiment(**{**one, "arms": arms, "yardsticks": yardsticks})

        def training(one: Mapping[str, Any]) -> Training:
            curves = {key: tuple(map(tuple, points)) for key, points in one["curves"].items()}
            return Training(**{**one, "curves": curves})

        def rates(one: Mapping[str, Any]) -> Rates:
            curves = {
                name: tuple(RatePoint(**point) for point in points)
                for name, points in one["curves"].items()
            }
            return Rates(**{**one, "curves": curves})

        return cls(
            data["task"],
            answers={name: measured(splits) for name, splits in data["answers"].items()},
            trainings={name: training(one) for name, one in data["trainings"].items()},
            paired={
                split: {metric: Paired(**one) for metric, one in found.items()}
                for split, found in data["paired"].items()
            },
            same={
                split: {name: measured(models) for name, models in found.items()}
                for split, found in data["same"].items()
            },
            experiments=tuple(map(experiment, data["experiments"])),
            rates=data["rates"] and rates(data["rates"]),
            verdicts=tuple(Verdict(**one) for one in data["verdicts"]),
        )


def to_json(tasks: Mapping[str, TaskEvidence]) -> str:
    """The content of the file."""
    found = {task: dataclasses.asdict(evidence) for task, evidence in tasks.items()}
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def read_measured(weights: str | Path) -> dict[str, TaskEvidence]:
    """What was measured of the checkpoints in a folder, by task; nothing without a file.

    Raises:
        ValueError: the file is not as `to_json` writes it.
    """
    path = Path(weights) / FILE_NAME
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {task: TaskEvidence.from_dict(one) for task, one in data.items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read ({error!r}); `python -m train.report --write` makes it anew"
        ) from error
