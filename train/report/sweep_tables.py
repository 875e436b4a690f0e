"""Markdown tables of the sweeps: a row per arm, and what each experiment says."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
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
WEIGHTS = {"foundation": "pretrained", "scratch": "random"}
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
    scored = [run["metrics"]["test"] for run in runs.values()]
    what = next(word for word in ("prompts", "objects") if word in scored[0])
    minutes = sum(run["minutes"] for run in runs.values())
    hardware = ", ".join(sorted({run["hardware"] for run in runs.values()}))
    return (
        f"{len(runs)} runs of {_range(run['steps'] for run in runs.values())} steps, "
        f"{minutes / 60:.1f} hours of training in all, on {hardware}; scored on "
        f"{_range(scores[what] for scores in scored)} held-out {what} and as many unseen ones. "
        "± is the standard deviation over seeds; rows without it are one seed."
    )


def _range(values: Iterable[int]) -> str:
    """A number, or the least and the greatest of several."""
    found = sorted(set(values))
    return str(found[0]) if len(found) == 1 else f"{found[0]} to {found[-1]}"


def _experiment(
    task: str,
    experiment: Mapping[str, Any],
    runs: Mapping[str, Run],
    yardsticks: Mapping[str, Any],
) -> str:
    number = experiment.get("x_from", "")
    header = ["arm", "weights", *([NUMBERS[number]] if number else []), "seeds"]
    blank = ["–"] * (len(header) - 1)
    header += [f"{heading}, {SPLITS[split]}" for split, _, heading, _ in _columns(task)]
    # An arm may stand in several series of a figure; one row is enough.
    arms: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for arm in experiment["arms"]:
        arms.setdefault(tuple(arm["runs"]), arm)
    rows = []
    for names, arm in arms.items():
        if found := [runs[name] for name in names if name in runs]:
            cells = [arm["label"], WEIGHTS[found[0]["config"]["model"]["init"]]]
            cells += [f"{found[0][number]:,}"] if number else []
            rows.append([*cells, str(len(found)), *_cells(task, [r["metrics"] for r in found])])
    for name, words in YARDSTICKS.items():
        if scored := yardsticks.get(name):
            counts = " and ".join(f"{scored[s]['objects']}" for s in SPLITS if s in scored)
            rows.append([f"*{words}, on {counts}*", *blank, *_cells(task, [scored])])
    words = [f"**{experiment['title']}** {experiment['question']}", markdown_table(header, rows)]
    return "\n\n".join(part for part in [*words, experiment["reading"]] if part)


def _columns(task: str) -> list[tuple[str, str, str, int]]:
    """Split, key, heading, decimals: all metrics of the held-out split, two of the unseen one."""
    held_out = [("test", *metric) for metric in METRICS[task]]
    return held_out + [("unseen", *metric) for metric in METRICS[task][:2]]


def _cells(task: str, scored: Sequence[Mapping[str, Any]]) -> list[str]:
    """Means over seeds, with their deviation where there are several."""
    cells = []
    for split, key, _, digits in _columns(task):
        known = [one[split][key] for one in scored if one.get(split, {}).get(key) is not None]
        spread = f" ± {statistics.stdev(known):.{digits}f}" if len(known) > 1 else ""
        mean = f"{statistics.mean(known):.{digits}f}".replace("-", "−") if known else "–"
        cells.append(mean + spread)
    return cells
