"""The words on the evidence tab; what they claim, they read from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hyperdemo.results.measured import (
    CHECKS,
    Arm,
    Experiment,
    Measured,
    Metric,
    Rates,
    TaskEvidence,
    Training,
)

INTRODUCTION = (
    "What was measured on objects and sounds that no training saw. Every number and verdict here "
    "is read from the results that come with the models."
)

TASKS = {"view": "Objects", "sound": "Sound"}

MEANINGS: Mapping[str, Mapping[str, str]] = {
    "view": {
        "psnr": "**PSNR**: how near the pixels are to the truth, in decibels; higher is better. "
        "3 dB more halve the squared error. As a rule of thumb, less than 0.5 dB is not seen.",
        "ssim": "**SSIM**: how alike the patterns of light and dark are, 1 for equal; higher is "
        "better. As a rule of thumb, less than 0.02 is not seen.",
        "perceptual": "**Perceptual distance**: how differently an untouched DINOv2 sees the two "
        "pictures, 0 for equal; lower is better. It forgives a shift and punishes a blur. For "
        "scale: the nearest training object, which is sharp but another one, is among the rows.",
    },
    "sound": {
        "stoi": "**STOI**: how intelligible speech is, up to 1; higher is better. Above 0.95 "
        "nearly every word is understood; by rule of thumb, less than 0.02 up there is not heard.",
        "si_snr": "**SI-SNR**: energy of the sound over that of the error, in decibels, sample by "
        "sample; higher is better. A change of less than about 1 dB is not heard.",
        "pesq": "**PESQ**: how good speech sounds, estimated, from 1.0 (bad) to 4.6 (as the "
        "original); higher is better. Less than about 0.2 is not heard.",
        "lsd": "**LSD**: how far the spectra are apart, in decibels; lower is better. Silence "
        "between words weighs as much as speech. A change of less than about 1 dB is not heard.",
        "psnr": "**PSNR**: as SI-SNR, but against full scale, so that soft clips score higher; in "
        "decibels, higher is better. A change of less than about 1 dB is not heard.",
        "visqol": "**ViSQOL**: how good music and other sounds are, estimated, from 1 (bad) to "
        "4.7 (as the original); higher is better. Less than about 0.2 is not heard.",
    },
}
"""What each metric is, which way is better, and what a difference is that people notice."""

SPLIT_LABELS: Mapping[str, Mapping[str, str]] = {
    "sound": {
        "test": "Held-out prompts",
        "test-speakers": "Held-out speakers",
        "unseen": "Held-out voice",
        "test-language": "Held-out language",
        "test-music": "Music",
        "test-effects": "Effects",
        "test-kind": "Held-out kind",
    },
    "view": {
        "test": "Held-out objects",
        "unseen": "Held-out classes",
        "test-models": "Models of other kinds",
    },
}

OF_SPLIT: Mapping[str, Mapping[str, str]] = {
    "sound": {
        "test": "held-out prompts",
        "test-speakers": "clips of held-out speakers",
        "unseen": "prompts of a held-out voice",
        "test-language": "clips in a language that no training heard, Mandarin",
        "test-music": "clips of held-out music",
        "test-effects": "held-out effects",
        "test-kind": "clips of a kind that no training heard, babies crying",
    },
    "view": {
        "test": "held-out objects",
        "unseen": "objects of held-out classes",
        "test-models": "held-out models of other kinds than furniture",
    },
}

ANSWER_LABELS: Mapping[str, Mapping[str, str]] = {
    "sound": {
        "silence": "silence",
        "nearest": "nearest training windows",
        "scratch": "from scratch",
        "foundation": "pretrained (Whisper)",
        "ceiling": "ceiling: fitted to the sound",
    },
    "view": {
        "white": "white picture",
        "mean": "mean picture",
        "nearest": "nearest training object",
        "scratch": "from scratch",
        "foundation": "pretrained (DINOv2)",
        "scratch-refined": "from scratch, sharpened",
        "foundation-refined": "pretrained, sharpened",
        "ceiling": "ceiling: fitted to the object",
    },
}

YARDSTICKS = (
    "Grey dots are baselines without a hypernetwork and, as a ceiling, the same small network "
    "fitted to the ground truth for a short time. What takes long was measured on fewer; it stands "
    "beside the two models on the same ones."
)

CLIMBING = "A curve that still climbs at its end belongs to a training that had not converged."


def answers_words(evidence: TaskEvidence, metric: Metric, split: str) -> str:
    """What the dots of all answers mean: who is ahead, and what the grey ones are."""
    pair = [evidence.answers.get(name, {}).get(split) for name in ("foundation", "scratch")]
    if any(one is None or metric.key not in one.values for one in pair):
        return YARDSTICKS
    first, second = pair
    where = OF_SPLIT[evidence.task][split]
    n = f"{first.n:,} " if first.n else ""
    return (
        f"On {n}{where}, the pretrained model reaches {_amount(metric, first)} and the one from "
        f"scratch {_amount(metric, second)} ({metric.name}): "
        f"{_verdict(evidence, metric, split)}. {YARDSTICKS}"
    )


def _amount(metric: Metric, measured: Measured) -> str:
    return f"{metric.text(measured.values[metric.key])}{f' {metric.unit}' if metric.unit else ''}"


def _verdict(evidence: TaskEvidence, metric: Metric, split: str) -> str:
    paired = evidence.paired.get(split, {}).get(metric.key)
    if paired is None or paired.stderr is None:
        return "the difference was not tested"
    match paired.ahead(higher=metric.higher):
        case 1:
            return f"**pretraining is ahead**, on {paired.better} of {paired.n} it is better"
        case -1:
            return "**training from scratch is ahead**"
    return "**no clear difference**"


def answers_caption(evidence: TaskEvidence, split: str) -> str:
    """How many were measured, and what the whiskers are."""
    counts: dict[str, list[str]] = {}
    for name, label in ANSWER_LABELS[evidence.task].items():
        measured = evidence.answers.get(name, {}).get(split)
        if measured and measured.n:
            of = f" of {measured.of:,}" if measured.of else ""
            counts.setdefault(f"{measured.n:,}{of}", []).append(label.split(":")[0])
    common = max(counts, key=lambda count: len(counts[count]), default="")
    words = f"{common} {OF_SPLIT[evidence.task][split]}" if common else ""
    others = [f"{', '.join(names)}: {n}" for n, names in counts.items() if n != common]
    return _sentences(
        words + (f" ({'; '.join(others)})" if others else ""),
        "Whiskers and ±: one standard error",
        "One training seed per model: seed variance is not in the whiskers",
    )


def check_of(task: str, metric: Metric) -> Metric:
    """What the curve of a training shows where a metric is chosen."""
    own = {check.key: check for check in CHECKS[task]}
    return own.get(metric.key, CHECKS[task][0])


def training_words(trainings: Mapping[str, Training], check: Metric) -> str:
    """Who was ahead during training, and what a slope at the end means."""
    pair = [trainings.get(name) for name in ("foundation", "scratch")]
    if any(one is None or check.key not in one.curves for one in pair):
        return CLIMBING
    first, second = (dict(one.curves[check.key]) for one in pair)
    steps = sorted(first.keys() & second.keys())
    if not steps:
        return CLIMBING
    ahead = sum(first[step] > second[step] for step in steps)
    last = steps[-1]
    unit = f" {check.unit}" if check.unit else ""
    return (
        f"The pretrained model was ahead at {ahead} of {len(steps)} checks; at step {last:,.0f} it "
        f"stood at {check.text(first[last])}{unit} against {check.text(second[last])}{unit}. "
        f"{CLIMBING}"
    )


def training_caption(task: str, trainings: Mapping[str, Training]) -> str:
    """Steps, time and machine of each."""
    words = []
    for name, training in trainings.items():
        facts = [f"{training.steps:,} steps"] if training.steps else []
        if training.before:
            facts += [f"after {training.before:,} before"]
        facts += [f"{training.minutes:.0f} minutes"] if training.minutes else []
        facts += [training.hardware] if training.hardware else []
        if facts:
            label = ANSWER_LABELS[task].get(name, name)
            words.append(f"{label[:1].upper()}{label[1:]}: {', '.join(facts)}")
    return _sentences(*words)


def experiment_caption(experiment: Experiment, metric: Metric, split: str, *, task: str) -> str:
    """Seeds, prompts or objects a run, steps and hardware of what its figure shows."""
    arms = [arm for arm in experiment.arms if arm.spread(metric.key, split)]
    if not arms:
        return ""
    runs = [run for arm in arms for run in arm.runs if split in run.splits]
    counts = _range([run.splits[split].n for run in runs])
    steps = _range([run.steps for run in runs])
    machines = list(dict.fromkeys(run.hardware for run in runs if run.hardware))
    budget = [f"{counts} {OF_SPLIT[task][split]}"] if counts else []
    budget += [f"{steps} steps per run"] if steps else []
    return _sentences(
        _series_words(arms), _seeds_words(arms, metric, split),
        ", ".join([*budget, " or ".join(machines)] if machines else budget),
        _yardstick_words(experiment, metric, split, task=task),
    )  # fmt: skip


def _yardstick_words(experiment: Experiment, metric: Metric, split: str, *, task: str) -> str:
    """What needs no hypernetwork; in the figure it may be too far off."""
    measured = experiment.beside(metric.key, split)
    words = [
        f"{ANSWER_LABELS[task].get(name, name).split(':')[0]} {metric.text(one.values[metric.key])}"
        + (f" (on {one.n:,})" if one.n else "")
        for name, one in measured.items()
    ]
    return f"For comparison: {', '.join(words)}" if words else ""


def _series_words(arms: Sequence[Arm]) -> str:
    series = {arm.series for arm in arms}
    both = {"pretrained", "from scratch"}
    return f"All arms {series.pop()}" if len(series) == 1 and series <= both else ""


def _seeds_words(arms: Sequence[Arm], metric: Metric, split: str) -> str:
    """Which arms have several seeds, so that one number is not taken for a sure one."""
    labels = [arm.label for arm in arms]
    groups: dict[int, list[str]] = {}
    for arm in arms:
        own = f" ({arm.series})" if labels.count(arm.label) > 1 else ""
        groups.setdefault(len(arm.spread(metric.key, split).values), []).append(arm.label + own)
    if set(groups) == {1}:
        return "One seed per arm, so no whiskers: small differences may be chance"
    whiskers = "Whiskers: ± one standard deviation over seeds; small dots: single seeds"
    if len(groups) == 1:
        return f"{next(iter(groups))} seeds per arm. {whiskers}"
    told = [f"{n} seeds: {', '.join(names)}" for n, names in sorted(groups.items()) if n > 1]
    return f"{'; '.join(told)}; one seed: the others. {whiskers}" if 1 in groups else (
        f"{'; '.join(told)}. {whiskers}"
    )  # fmt: skip


def rates_caption(rates: Rates, *, task: str) -> str:
    """What the rates were measured on, whichever split is chosen."""
    where = OF_SPLIT[task].get(rates.split, rates.split)
    return _sentences(
        f"{rates.n:,} {where}" if rates.n else f"Measured on {where}",
        f"Windows of {rates.window_s:g} s" if rates.window_s else "",
        "Bitrates on a logarithmic axis",
    )


def _range(numbers: Sequence[int | None]) -> str:
    """ "40", "20 to 40", or "" where nothing is known."""
    known = [number for number in numbers if number is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _sentences(*parts: str) -> str:
    return " ".join(f"{part}." for part in parts if part)
