"""Tables of the sweeps: a row an arm, and what each experiment says."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from hyperdemo.results.markdown import markdown_table

# Name in the results, heading, decimals.
METRICS: Mapping[str, Sequence[tuple[str, str, int]]] = {
    "sound": (
        ("stoi", "STOI ↑", 3), ("si_snr", "SI-SNR (dB) ↑", 2), ("pesq", "PESQ ↑", 2),
        ("lsd", "LSD (dB) ↓", 2),
    ),
    "view": (("psnr", "PSNR (dB) ↑", 2), ("ssim", "SSIM ↑", 3), ("perceptual", "perceptual ↓", 3)),
}  # fmt: skip
SPLITS = {"test": "held-out", "unseen": "unseen"}
NUMBERS = {
    "trainable_parameters": "trainable parameters", "written": "generated weights per INR",
    "inr_parameters": "parameters of the INR",
}  # fmt: skip
"""Columns of an experiment whose arms stand at such a number of their runs."""
YARDSTICKS = {
    "white": "white picture", "mean": "mean training picture", "nearest": "nearest training object",
    "ceiling": "ceiling: the INR fitted to the object",
}  # fmt: skip
"""Rows of what needs no hypernetwork."""

Run = Mapping[str, Any]


def sweep_tables(task: str, sweep: Mapping[str, Any]) -> str:
    """Markdown of every experiment that has a run, after the budget of them all."""
    runs: Mapping[str, Run] = sweep.get("runs", {})
    yardsticks = sweep.get("yardsticks", {})
    parts = [
        _experiment(task, experiment, runs, yardsticks)
        for experiment in sweep.get("experiments", {}).values()
        if any(name in runs for arm in experiment["arms"] for name in arm["runs"])
    ]
    return "\n\n".join([_budget(runs), *parts]) if parts else ""


def _budget(runs: Mapping[str, Run]) -> str:
    steps = _range(sorted({run["steps"] for run in runs.values()}))
    scored = [run["metrics"]["test"] for run in runs.values()]
    what = next(word for word in ("prompts", "objects") if word in scored[0])
    count = _range(sorted({scores[what] for scores in scored}))
    minutes = sum(run["minutes"] for run in runs.values())
    hardware = ", ".join(sorted({run["hardware"] for run in runs.values()}))
    return (
        f"{len(runs)} runs of {steps} steps, {minutes / 60:.1f} hours of training in all, on "
        f"{hardware}; scored on {count} held-out {what} and as many unseen ones. ± is the standard "
        "deviation over seeds; rows without it are one seed."
    )


def _range(values: Sequence[int]) -> str:
    """A number, or the least and the greatest of several."""
    return str(values[0]) if len(values) == 1 else f"{values[0]} to {values[-1]}"


def _experiment(
    task: str,
    experiment: Mapping[str, Any],
    runs: Mapping[str, Run],
    yardsticks: Mapping[str, Any],
) -> str:
    number = experiment.get("x_from", "")
    headings = [
        f"{heading}, {words}"
        for split, words in SPLITS.items()
        for _, heading, _ in _shown(task, split)
    ]
    lines = [["arm", "weights", *([NUMBERS[number]] if number else []), "seeds", *headings]]
    seen = set()
    for arm in experiment["arms"]:
        found = [runs[name] for name in arm["runs"] if name in runs]
        if found and tuple(arm["runs"]) not in seen:
            lines.append(_row(task, arm, found, number=number))
        seen.add(tuple(arm["runs"]))
    for name, words in YARDSTICKS.items():
        if name in yardsticks:
            lines.append(_yardstick(task, words, yardsticks[name], columns=4 if number else 3))
    table = markdown_table(lines[0], lines[1:])
    words = [f"**{experiment['title']}** {experiment['question']}", table, experiment["reading"]]
    return "\n\n".join(part for part in words if part)


def _shown(task: str, split: str) -> Sequence[tuple[str, str, int]]:
    """All metrics of what is held out, the first two of what is unlike anything that was seen."""
    return METRICS[task] if split == "test" else METRICS[task][:2]


def _row(task: str, arm: Mapping[str, Any], found: Sequence[Run], *, number: str) -> list[str]:
    init = found[0]["config"]["model"]["init"]
    cells = [arm["label"], {"foundation": "pretrained", "scratch": "random"}[init]]
    if number:
        cells.append(f"{found[0][number]:,}")
    cells.append(str(len(found)))
    for split in SPLITS:
        for key, _, digits in _shown(task, split):
            cells.append(_cell([run["metrics"][split][key] for run in found], digits))
    return cells


def _yardstick(
    task: str, words: str, splits: Mapping[str, Mapping[str, Any]], *, columns: int
) -> list[str]:
    """Its row; in place of weights and seeds, how many it was scored on."""
    counts = " and ".join(f"{splits[split]['objects']}" for split in SPLITS if split in splits)
    cells = [f"*{words}, on {counts}*", *["–"] * (columns - 1)]
    for split in SPLITS:
        for key, _, digits in _shown(task, split):
            value = splits.get(split, {}).get(key)
            cells.append(_cell([value], digits))
    return cells


def _cell(values: Sequence[float | None], digits: int) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    spread = f" ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else ""
    return f"{statistics.mean(known):.{digits}f}".replace("-", "−") + spread
