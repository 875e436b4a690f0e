"""Which of the paper's claims hold here: an interval and a verdict for each, from a sweep."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import t as student

from hyperdemo.results.measured import METRICS, THINGS, Metric
from hyperdemo.results.verdicts import LEVEL, Verdict
from train.early_stopping import finished
from train.experiments import FROM_SCRATCH, PRETRAINED
from train.report.tables import yardsticks_of

MIN_SEEDS = 3
MIN_ABOVE_MEAN_DB = 0.5
"""An arm that is no further above the mean picture than this has not learned what it is asked."""

Found = Mapping[str, Any]


@dataclass(frozen=True)
class Claim:
    """What is said to be above zero: a sum of arms, each with its sign.

    Attributes:
        experiment: of a sweep, by its name there.
        arms: label, series and sign of each.
        split: that the arms are scored on.
    """

    text: str
    experiment: str
    arms: tuple[tuple[str, str, int], ...]
    split: str = "test"


@dataclass(frozen=True)
class Estimate:
    """A difference of mean scores, its standard error and that error's degrees of freedom."""

    mean: float
    stderr: float
    freedom: float

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided interval that misses with this chance."""
        reach = float(student.ppf(1 - level / 2, self.freedom)) * self.stderr
        return self.mean - reach, self.mean + reach


def _gap(label: str, sign: int = 1) -> tuple[tuple[str, str, int], ...]:
    return (label, PRETRAINED, sign), (label, FROM_SCRATCH, -sign)


def _claims(whole: str, shares: str, least: str, unseen: str) -> tuple[Claim, ...]:
    """With the experiment on shares of the data, and the label of the smallest there."""
    prompts = ("prompt tuning", "prompt tuning", 1), ("from scratch", FROM_SCRATCH, -1)
    return (
        Claim("Pretraining helps.", "main", _gap(whole)),
        Claim(f"It helps on {unseen}.", "main", _gap(whole), "unseen"),
        Claim("The fewer the data, the more it helps.", shares, (*_gap(least), *_gap("100 %", -1))),
        Claim("Prompt tuning beats training from scratch.", "adaptation", prompts),
    )


CLAIMS: Mapping[str, tuple[Claim, ...]] = {
    "view": (
        *_claims("full fine-tuning", "data", "10 %", "classes that no training saw"),
        Claim(
            "A deeper pretrained encoder is better.", "blocks",
            (("12 blocks", PRETRAINED, 1), ("4 blocks", PRETRAINED, -1)),
        ),
    ),
    "sound": (
        *_claims(
            "log-mel and waveform", "recordings", "1 %",
            "a voice that no training heard",
        ),
        Claim(
            "Whisper's pretraining serves sound better than DINOv2's.", "backbone",
            (("Whisper tiny.en, 4 blocks", PRETRAINED, 1),
             ("DINOv2 ViT-S/14 on the spectrogram, 4 of 12 blocks", PRETRAINED, -1)),
        ),
    ),
}  # fmt: skip


def verdicts(task: str, sweep: Found) -> tuple[Verdict, ...]:
    """On every claim that the sweep has runs for."""
    metric = METRICS[task][0]
    found = [(claim, arms) for claim in CLAIMS[task] if (arms := _scored(claim, sweep, task))]
    told = [_why_not(arms, sweep, claim, metric) for claim, arms in found]
    level = LEVEL / max(1, told.count(""))
    rows = []
    for (claim, arms), reason in zip(found, told, strict=True):
        measured = estimate([(sign, scores) for sign, scores in arms], task=task)
        interval = "–" if reason else _span(measured.interval(level), metric)
        seeds = " and ".join(str(n) for n in sorted({len(scores) for _, scores in arms}))
        words = f"cannot be told: {reason}" if reason else _verdict(measured.interval(level))
        rows.append(Verdict(claim.text, _signed(measured.mean, metric), interval, seeds, words))
    return tuple(rows)


def estimate(arms: Sequence[tuple[int, Sequence[Found]]], *, task: str) -> Estimate:
    """The signed sum of arms' mean scores, by the task's first metric.

    Two errors add: that of the mean over seeds of each arm, and that of the mean over objects, on
    which all arms were scored, of the summed scores. The degrees of freedom are Welch's and
    Satterthwaite's.

    Args:
        arms: sign and scores of each, by seed, with "rows" where each object's score is known.
    """
    key = METRICS[task][0].key
    mean, parts = 0.0, []
    for sign, scores in arms:
        values = [one[key] for one in scores]
        mean += sign * statistics.fmean(values)
        if len(values) > 1:
            parts.append((statistics.variance(values) / len(values), len(values) - 1))
    if each := _one_by_one(arms, key, THINGS[task].removesuffix("s")):
        parts.append((statistics.variance(each) / len(each), len(each) - 1))
    variance = sum(part for part, _ in parts)
    if not variance:
        return Estimate(mean, 0.0, 1.0)
    freedom = variance**2 / sum(part**2 / n for part, n in parts)
    return Estimate(mean, math.sqrt(variance), freedom)


def _one_by_one(
    arms: Sequence[tuple[int, Sequence[Found]]], key: str, thing: str
) -> list[float] | None:
    """The signed sum of seeds' means for each object that all runs scored; None if too few."""
    sums: dict[str, list[float]] = {}
    for sign, scores in arms:
        for one in scores:
            for row in one.get("rows", []):
                if key in row:
                    sums.setdefault(row[thing], []).append(sign * row[key] / len(scores))
    n_runs = sum(len(scores) for _, scores in arms)
    whole = [sum(parts) for parts in sums.values() if len(parts) == n_runs]
    return whole if len(whole) > 1 else None


def _rows(claim: Claim, sweep: Found) -> list[tuple[int, list[Found]]]:
    """Sign and runs of each arm of a claim."""
    known = sweep.get("experiments", {}).get(claim.experiment, {"arms": []})["arms"]
    by_name = {(arm["label"], arm["series"]): arm["runs"] for arm in known}
    return [
        (sign, finished(by_name.get((label, series), []), sweep.get("runs", {})))
        for label, series, sign in claim.arms
    ]


def _scored(claim: Claim, sweep: Found, task: str) -> list[tuple[int, list[Found]]]:
    """Sign and scores of each arm of a claim; empty unless all have a run."""
    found = []
    for sign, rows in _rows(claim, sweep):
        scores = [row["metrics"].get(claim.split, {}) for row in rows]
        found.append((sign, [one for one in scores if one.get(METRICS[task][0].key) is not None]))
    return found if all(scores for _, scores in found) else []


def _why_not(
    arms: Sequence[tuple[int, Sequence[Found]]], sweep: Found, claim: Claim, metric: Metric
) -> str:
    """Why a claim cannot be judged; empty if it can."""
    fewest = min(len(scores) for _, scores in arms)
    if fewest < MIN_SEEDS:
        return f"an arm has {fewest} of {MIN_SEEDS} seeds"
    yardsticks = yardsticks_of(sweep, [row for _, rows in _rows(claim, sweep) for row in rows])
    picture = yardsticks.get("mean", {}).get(claim.split, {}).get(metric.key)
    weakest = min(statistics.fmean(one[metric.key] for one in scores) for _, scores in arms)
    if picture is not None and weakest < picture + MIN_ABOVE_MEAN_DB:
        above = weakest - picture
        return f"at this budget an arm is {above:.2f} dB above the mean picture"
    return ""


def _verdict(interval: tuple[float, float]) -> str:
    low, high = interval
    if low > 0:
        return "holds"
    return "the opposite holds" if high < 0 else "no difference found"


def _span(interval: tuple[float, float], metric: Metric) -> str:
    return " to ".join(_signed(end, metric) for end in interval)


def _signed(value: float, metric: Metric) -> str:
    return f"{value:+.{metric.digits}f}".replace("-", "−")
