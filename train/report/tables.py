"""Markdown tables of what was measured of each task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from hyperdemo.metrics.paired import Paired
from hyperdemo.results.markdown import markdown_table
from hyperdemo.results.measured import METRICS, THINGS, Metric
from train.paired import compare
from train.provenance import trainings_of

MODELS = ("scratch", "foundation")
Found = Mapping[str, Any]


@dataclass(frozen=True)
class TaskWords:
    """Words of a task; those in braces are filled in from a row of the results.

    Attributes:
        titles: of its splits.
        answers: what was scored, in the order of the table.
        count: what an answer was scored on.
        step: what a training step takes.
        validation: scores of a training.
    """

    titles: Mapping[str, str]
    answers: Mapping[str, str]
    count: str
    step: str
    validation: str


TASKS: Mapping[str, TaskWords] = {
    "view": TaskWords(
        titles={
            "test": "Held-out objects",
            "unseen": "Held-out classes",
            "test-models": "Held-out models of other kinds",
        },
        answers={
            "white": "white picture",
            "mean": "mean picture of the training set",
            "nearest": "nearest training object, rendered from the target pose",
            "scratch": "**hypernetwork from scratch**",
            "foundation": "**hypernetwork, pretrained (DINOv2)**",
            "scratch-refined": "from scratch, sharpened for 40 steps",
            "foundation-refined": "pretrained, sharpened for 40 steps",
            "ceiling": "ceiling: the same INR fitted to 28 views",
        },
        count="{objects}",
        step="objects per step",
        validation="PSNR {val_psnr:.2f} dB",
    ),
    "sound": TaskWords(
        titles={
            "test": "Held-out prompts (voices heard in training)",
            "test-speakers": "Held-out speakers (English, LibriSpeech)",
            "unseen": "Held-out voice (French)",
            "test-language": "Held-out language (Mandarin)",
            "test-music": "Held-out music",
            "test-effects": "Held-out effects",
            "test-kind": "A kind of sound that no training heard (babies crying)",
        },
        answers={
            "silence": "silence",
            "nearest": "nearest training windows",
            "scratch": "**hypernetwork from scratch**",
            "foundation": "**hypernetwork, pretrained (Whisper)**",
            "ceiling": "ceiling: the same INRs fitted to a prompt's first second, {steps} steps",
        },
        count="{prompts} of {of}, {seconds:.0f} s",
        step="windows per step",
        validation="SNR {val_snr:.2f} dB, STOI {val_stoi:.3f}",
    ),
}

STUDIES = {
    "inputs": (
        "**Study: what the encoder hears** (short trainings, one seed, validation prompts)",
        {"variant": "{name}", "SNR (dB) ↑": "{val_snr:.2f}", "STOI ↑": "{val_stoi:.3f}",
         "spectral error ↓": "{val_spectral:.2f}", "steps": "{steps}", "minutes": "{minutes:.1f}"},
    ),
    "fields": (
        "**Study: the field itself** (INRs fitted to validation speech, the same short budget)",
        {"field": "{name}", "SNR (dB) ↑": "{snr_db:.1f}", "worst fit (dB)": "{worst_db:.1f}",
         "weights": "{parameters:,}", "weights per second of sound": "{millions:.2f} M"},
    ),
}  # fmt: skip
"""Title, and of each column the heading and a cell."""


def task_tables(task: str, found: Found) -> str:
    """Markdown of all splits, the models' differences and budgets; of sound, rates and studies."""
    words = TASKS[task]
    parts = [
        f"**{title_of(task, split, found)}**\n\n{_answers(task, found['splits'][split])}"
        for split in words.titles
        if split in found["splits"]
    ]
    if paired := paired_of(task, found):
        title = "**Pretrained − from scratch, one by one** (in brackets: on how many it is better)"
        rows = [
            [title_of(task, split, found), *(_difference(m, own.get(m.key)) for m in METRICS[task])]
            for split, own in paired.items()
        ]
        table = markdown_table(["split", *(metric.axis for metric in METRICS[task])], rows)
        parts.append(f"{title}\n\n{table}")
    if task == "view" and (named := _named(found)):
        parts.append(named)
    budget = {
        "model": "{name}", "parameters": "{millions:.1f} M", "steps": "{steps}",
        words.step: "{training[batch]}", "minutes": "{all_minutes}", "hardware": "{hardware}",
        "validation": words.validation,
    }  # fmt: skip
    models = {
        name: {
            **facts,
            "steps": " + ".join(str(one["steps_taken"]) for one in trainings_of(facts)),
            "all_minutes": " + ".join(f"{one['minutes']:.0f}" for one in trainings_of(facts)),
        }
        for name, facts in found["models"].items()
    }
    parts.append(_table("**Budget**", budget, models, millions_of="parameters"))
    if bands := found.get("bands"):
        parts.append(_bands(bands))
    if rates := found.get("rates"):
        parts.append(_rates(rates))
    studies = found.get("studies", {})
    parts += [
        _table(title, columns, studies[name], millions_of="parameters_a_second")
        for name, (title, columns) in STUDIES.items()
        if name in studies
    ]
    return "\n\n".join(parts)


_IN_SHORT = {"view": 1, "sound": 2}
_SPLITS_IN_SHORT = ("test", "unseen", "test-models")


def summary_table(results: Found) -> str:
    """Markdown of both models and their difference, for the README: the first metric for objects,
    the first two for sound, on a few splits of each."""
    rows = []
    for task in TASKS:
        found = results.get(task, {"splits": {}})
        paired = paired_of(task, found)
        for split in _SPLITS_IN_SHORT:
            scored = found["splits"].get(split, {})
            for metric in METRICS[task][: _IN_SHORT[task]] if set(MODELS) <= set(scored) else ():
                cells = [value(metric, scored[name]) for name in MODELS]
                gain = _difference(metric, paired.get(split, {}).get(metric.key))
                rows.append([title_of(task, split, found), metric.axis, *cells, gain])
    header = ["", "metric", "from scratch", "pretrained", "difference, one by one"]
    return markdown_table(header, rows)


def title_of(task: str, split: str, found: Found) -> str:
    """Name of a split; of held-out classes, which they are."""
    classes = held_out_classes(found["splits"].get(split, {})) if split == "unseen" else []
    return TASKS[task].titles[split] + (f" ({', '.join(classes)})" if classes else "")


def held_out_classes(scored: Found) -> list[str]:
    """The classes of all objects that were scored, the largest first; none of prompts."""
    rows = max((answer.get("rows", []) for answer in scored.values()), key=len, default=[])
    return [name for name, _ in Counter(r["class"] for r in rows if "class" in r).most_common()]


def paired_of(task: str, found: Found) -> dict[str, dict[str, Paired]]:
    """Pretrained minus from scratch by split and metric, as recorded or from the single scores."""
    differences = {}
    for split in TASKS[task].titles:
        scored = found.get("splits", {}).get(split, {})
        second, first = (scored.get(name, {}).get("rows", []) for name in MODELS)
        recorded = {
            key: Paired(row["mean"], row["stderr"], row["better"], row[THINGS[task]])
            for key, row in found.get("paired", {}).get(split, {}).items()
        }
        if own := compare(task, first, second) | recorded:
            differences[split] = own
    return differences


def value(metric: Metric, row: Found) -> str:
    """A mean, its error where that is known, and a dash where the metric has no meaning."""
    if row.get(metric.key) is None:
        return "–"
    return metric.text(row[metric.key]) + _error(metric, row.get(f"{metric.key}_stderr"))


def _error(metric: Metric, error: float | None) -> str:
    return "" if error is None else f" ± {metric.text(error)}"


def _difference(metric: Metric, found: Paired | None) -> str:
    if found is None:
        return "–"
    mean = f"{found.mean:+.{metric.digits}f}".replace("-", "−")
    return f"{mean}{_error(metric, found.stderr)} ({found.better} of {found.n})"


def _answers(task: str, scored: Found) -> str:
    words = TASKS[task]
    shown = [m for m in METRICS[task] if any(row.get(m.key) is not None for row in scored.values())]
    rows = [
        [text.format(**row), *(value(metric, row) for metric in shown), words.count.format(**row)]
        for text, row in ((text, scored.get(name)) for name, text in words.answers.items())
        if row
    ]
    return markdown_table(["answer", *(metric.axis for metric in shown), THINGS[task]], rows)


def _named(found: Found) -> str:
    """Markdown of how many views show what they should, by their nearest true picture."""
    words, rows = TASKS["view"], []
    for split, scored in found["splits"].items():
        truth = found.get("truth_named", {}).get(split)
        named = {words.answers[name]: row for name, row in scored.items() if name in words.answers}
        for text, row in [*named.items(), *([("the true views", truth)] if truth else [])]:
            if "named" in row:
                shares = (f"{100 * row[key]:.0f} %" for key in ("named", "named_class"))
                rows.append([title_of("view", split, found), text, *shares, str(row["objects"])])
    title = "**Named**: views whose nearest true picture of all held-out objects is of …"
    header = ["split", "answer", "the same object ↑", "the same class ↑", "objects"]
    return f"{title}\n\n{markdown_table(header, rows)}" if rows else ""


def _bands(bands: Found) -> str:
    edges = [edge / 1000 for edge in bands["edges_hz"]]
    spans = [f"{low:g}–{high:g} kHz" for low, high in pairwise(edges)]
    known = {"before": "pretrained, before the last training", "scratch": "from scratch",
             "foundation": "pretrained"}  # fmt: skip
    titles = TASKS["sound"].titles
    rows = [
        [titles[split], known[name], *(f"{snr:.1f}" for snr in own[name]["snr_db"]),
         f"{own[name]['share'][-1]:.0%}"]
        for split, own in bands["splits"].items() for name in known if name in own
    ]  # fmt: skip
    header = ["split", "answer", *spans, f"of the error above {edges[-2]:g} kHz"]
    counts = "; ".join(f"{titles[s]}: {own['recordings']}" for s, own in bands["splits"].items())
    return (
        f"**Signal-to-noise ratio in dB by frequency** (means over recordings. {counts})\n\n"
        f"{markdown_table(header, rows)}"
    )


def _rates(rates: Found) -> str:
    shown = METRICS["sound"][:4]
    rows = [
        [curve, point["label"].removeprefix(f"{curve}, "), f"{point['kbit_s']:.1f}",
         *(value(metric, point) for metric in shown)]
        for curve, points in rates["curves"].items()
        for point in points
    ]  # fmt: skip
    heard = f"{rates['prompts']} held-out prompts, {rates['seconds']:.0f} s"
    header = ["codec", "setting", "kbit/s", *(metric.axis for metric in shown)]
    title = f"**Quality against bitrate** ({heard})"
    parts = [title, markdown_table(header, rows), rates["reading"]]
    return "\n\n".join(part for part in parts if part)


def _table(title: str, columns: Mapping[str, str], found: Found, *, millions_of: str) -> str:
    """A row per name, its cells filled in from what was found and from one number in millions."""
    rows = [
        [cell.format_map({**row, **own}) for cell in columns.values()]
        for name, row in found.items()
        for own in [{"name": name, "millions": row.get(millions_of, 0) / 1e6}]
    ]
    return f"{title}\n\n{markdown_table(list(columns), rows)}"


def yardsticks_of(
    sweep: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]
) -> Mapping[str, Mapping[str, Any]]:
    """Answers without a hypernetwork, by name and split, on what these runs were scored on.

    Args:
        sweep: of the results, whose yardsticks are told apart by the splits that they belong to.
        rows: of runs; where they were scored on different objects, there is nothing to show.
    """
    files = {row.get("config", {}).get("data", {}).get("splits_file", "") for row in rows}
    return sweep.get("yardsticks", {}).get(files.pop(), {}) if len(files) == 1 else {}
