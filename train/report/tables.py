"""Markdown tables of what was measured of each task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hyperdemo.metrics.paired import Paired, paired_difference
from hyperdemo.results.markdown import markdown_table


@dataclass(frozen=True)
class TaskWords:
    """How a task's results are told.

    Attributes:
        titles: of its splits.
        answers: words for what was scored, in the order of the table.
        metrics: name in the results, heading, decimals.
        lower: metrics of which less is better.
        summary: metrics of the short table.
        things: what was scored, in the plural.
        batch: heading of what a step takes.
        count: of what a row was scored on.
        validation: of a model's facts.
    """

    titles: Mapping[str, str]
    answers: Mapping[str, str]
    metrics: tuple[tuple[str, str, int], ...]
    lower: frozenset[str]
    summary: tuple[str, ...]
    things: str
    batch: str
    count: Callable[[Mapping[str, Any]], str]
    validation: Callable[[Mapping[str, Any]], str]


TASKS: Mapping[str, TaskWords] = {
    "view": TaskWords(
        titles={"test": "Held-out objects", "unseen": "Held-out classes"},
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
        metrics=(("psnr", "PSNR (dB) ↑", 2), ("ssim", "SSIM ↑", 3),
                 ("perceptual", "perceptual ↓", 3)),
        lower=frozenset({"perceptual"}),
        summary=("psnr", "ssim"),
        things="objects",
        batch="objects per step",
        count=lambda row: str(row["objects"]),
        validation=lambda facts: f"PSNR {facts['val_psnr']:.2f} dB",
    ),
    "sound": TaskWords(
        titles={
            "test": "Held-out prompts (voices heard in training)",
            "unseen": "Held-out voice and language (French)",
        },
        answers={
            "silence": "silence",
            "nearest": "nearest training windows",
            "scratch": "**hypernetwork from scratch**",
            "foundation": "**hypernetwork, pretrained (Whisper)**",
            "ceiling": "ceiling: the same INRs fitted to a prompt's first second, {steps} steps",
        },
        metrics=(("stoi", "STOI ↑", 3), ("si_snr", "SI-SNR (dB) ↑", 2), ("lsd", "LSD (dB) ↓", 2),
                 ("pesq", "PESQ ↑", 2), ("psnr", "PSNR (dB) ↑", 2)),
        lower=frozenset({"lsd"}),
        summary=("stoi", "si_snr"),
        things="prompts",
        batch="windows per step",
        count=lambda row: f"{row['prompts']} of {row['of']}, {row['seconds']:.0f} s",
        validation=lambda f: f"SNR {f['val_snr']:.2f} dB, STOI {f['val_stoi']:.3f}",
    ),
}  # fmt: skip


def task_tables(task: str, found: Mapping[str, Any]) -> str:
    """Markdown of all splits, the models' differences and budgets; of sound, rates and studies."""
    words = TASKS[task]
    parts = [
        f"**{title_of(task, split, found)}**\n\n{_answers(words, found['splits'][split])}"
        for split in words.titles
        if split in found["splits"]
    ]
    if paired := paired_of(task, found):
        title = "**Pretrained − from scratch, one by one** (in brackets: on how many it is better)"
        rows = [
            [
                title_of(task, split, found),
                *(_difference(own.get(k), d) for k, _, d in words.metrics),
            ]
            for split, own in paired.items()
        ]
        header = ["split", *(heading for _, heading, _ in words.metrics)]
        parts.append(f"{title}\n\n{markdown_table(header, rows)}")
    parts.append(f"**Budget**\n\n{_budget(words, found['models'])}")
    if rates := found.get("rates"):
        parts.append(_rates(rates))
    studies = found.get("studies", {})
    parts += [part(studies[name]) for name, part in STUDIES.items() if name in studies]
    return "\n\n".join(parts)


def summary_table(results: Mapping[str, Any]) -> str:
    """One table of what pretraining buys, on both splits of both tasks."""
    rows = []
    for task, words in TASKS.items():
        found = results.get(task, {})
        paired = paired_of(task, found)
        for split in words.titles:
            scored = found.get("splits", {}).get(split, {})
            for key, heading, digits in words.metrics:
                if key in words.summary and {"scratch", "foundation"} <= set(scored):
                    cells = [value(scored[name], key, digits) for name in ("scratch", "foundation")]
                    gain = _difference(paired.get(split, {}).get(key), digits)
                    rows.append([title_of(task, split, found), heading, *cells, gain])
    header = ["", "metric", "from scratch", "pretrained", "difference, one by one"]
    return markdown_table(header, rows)


def title_of(task: str, split: str, found: Mapping[str, Any]) -> str:
    """Name of a split; of held-out classes, which they are."""
    classes = held_out_classes(found["splits"].get(split, {})) if split == "unseen" else []
    return TASKS[task].titles[split] + (f" ({', '.join(classes)})" if classes else "")


def held_out_classes(scored: Mapping[str, Any]) -> list[str]:
    """The classes of all objects that were scored, the largest first; none of prompts."""
    rows = max((answer.get("rows", []) for answer in scored.values()), key=len, default=[])
    return [name for name, _ in Counter(r["class"] for r in rows if "class" in r).most_common()]


def paired_of(task: str, found: Mapping[str, Any]) -> dict[str, dict[str, Paired]]:
    """Pretrained minus from scratch by split and metric, as recorded or from the single scores."""
    words, differences = TASKS[task], {}
    for split in words.titles:
        told = found.get("paired", {}).get(split, {})
        own = {
            key: Paired(row["mean"], row["stderr"], row["better"], row[words.things])
            for key, row in told.items()
        }
        scored = found.get("splits", {}).get(split, {})
        if own := _paired_of_rows(words, scored) | own:
            differences[split] = own
    return differences


def _paired_of_rows(words: TaskWords, scored: Mapping[str, Any]) -> dict[str, Paired]:
    first, second = (
        {row[words.things[:-1]]: row for row in scored.get(name, {}).get("rows", [])}
        for name in ("foundation", "scratch")
    )
    found = {}
    for key, _, _ in words.metrics:
        pairs = [(first[n].get(key), second[n].get(key)) for n in first if n in second]
        if known := [pair for pair in pairs if None not in pair]:
            found[key] = paired_difference(*zip(*known, strict=True), higher=key not in words.lower)
    return found


def value(row: Mapping[str, Any], key: str, digits: int) -> str:
    """A mean, its error where that is known, and a dash where the metric has no meaning."""
    if row[key] is None:
        return "–"
    error = row.get(f"{key}_stderr")
    return f"{row[key]:.{digits}f}" + (f" ± {error:.{digits}f}" if error is not None else "")


def _answers(words: TaskWords, scored: Mapping[str, Any]) -> str:
    shown = [m for m in words.metrics if any(row[m[0]] is not None for row in scored.values())]
    rows = [
        [text.format(**scored[name]), *(value(scored[name], k, d) for k, _, d in shown),
         words.count(scored[name])]
        for name, text in words.answers.items()
        if name in scored
    ]  # fmt: skip
    return markdown_table(["answer", *(heading for _, heading, _ in shown), words.things], rows)


def _difference(found: Paired | None, digits: int) -> str:
    if found is None:
        return "–"
    error = "" if found.stderr is None else f" ± {found.stderr:.{digits}f}"
    mean = f"{found.mean:+.{digits}f}".replace("-", "−")
    return f"{mean}{error} ({found.better} of {found.n})"


def _budget(words: TaskWords, models: Mapping[str, Any]) -> str:
    header = ["model", "parameters", "steps", words.batch, "minutes", "hardware", "validation"]
    rows = [
        [name, f"{facts['parameters'] / 1e6:.1f} M", str(facts["steps_taken"]),
         str(facts["training"]["batch"]), f"{facts['minutes']:.0f}", facts["hardware"],
         words.validation(facts)]
        for name, facts in models.items()
    ]  # fmt: skip
    return markdown_table(header, rows)


def _rates(rates: Mapping[str, Any]) -> str:
    by_name = {metric[0]: metric for metric in TASKS["sound"].metrics}
    shown = [by_name[name] for name in ("stoi", "pesq", "si_snr", "lsd")]
    rows = [
        [curve, point["label"].removeprefix(f"{curve}, "), f"{point['kbit_s']:.1f}",
         *(value(point, key, digits) for key, _, digits in shown)]
        for curve, points in rates["curves"].items()
        for point in points
    ]  # fmt: skip
    heard = f"{rates['prompts']} held-out prompts, {rates['seconds']:.0f} s"
    header = ["codec", "setting", "kbit/s", *(heading for _, heading, _ in shown)]
    table = f"**Quality against bitrate** ({heard})\n\n{markdown_table(header, rows)}"
    return f"{table}\n\n{rates['reading']}" if rates["reading"] else table


def _inputs(found: Mapping[str, Any]) -> str:
    header = ["variant", "SNR (dB) ↑", "STOI ↑", "spectral error ↓", "steps", "minutes"]
    rows = [
        [name, f"{row['val_snr']:.2f}", f"{row['val_stoi']:.3f}", f"{row['val_spectral']:.2f}",
         str(row["steps"]), f"{row['minutes']:.1f}"]
        for name, row in found.items()
    ]  # fmt: skip
    title = "**Study: what the encoder hears** (short trainings, one seed, validation prompts)"
    return f"{title}\n\n{markdown_table(header, rows)}"


def _fields(found: Mapping[str, Any]) -> str:
    header = ["field", "SNR (dB) ↑", "worst fit (dB)", "weights", "weights per second of sound"]
    rows = [
        [name, f"{row['snr_db']:.1f}", f"{row['worst_db']:.1f}", f"{row['parameters']:,}",
         f"{row['parameters_a_second'] / 1e6:.2f} M"]
        for name, row in found.items()
    ]  # fmt: skip
    title = "**Study: the field itself** (INRs fitted to validation speech, the same short budget)"
    return f"{title}\n\n{markdown_table(header, rows)}"


STUDIES = {"inputs": _inputs, "fields": _fields}
