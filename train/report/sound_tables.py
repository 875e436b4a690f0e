"""The README's tables of the sound task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROWS = {
    "silence": "silence",
    "nearest": "nearest training windows",
    "scratch": "**hypernetwork from scratch**",
    "foundation": "**hypernetwork, pretrained (Whisper)**",
    "ceiling": "ceiling: the same INRs fitted to a prompt's first second, {steps} steps",
}
TITLES = {
    "test": "Held-out prompts (voices heard in training)",
    "unseen": "Held-out voice and language (French)",
}
# Name in the results, heading, decimals; those with an error have it beside them.
METRICS = (
    ("stoi", "STOI ↑", 3),
    ("si_snr", "SI-SNR (dB) ↑", 2),
    ("lsd", "LSD (dB) ↓", 2),
    ("pesq", "PESQ ↑", 2),
    ("psnr", "PSNR (dB) ↑", 2),
)


def sound_table(found: Mapping[str, Any]) -> str:
    """Markdown of all splits, the models' differences and budgets, rates and studies."""
    splits = {name: found["splits"][name] for name in TITLES if name in found["splits"]}
    parts = [_split_table(TITLES[name], scored) for name, scored in splits.items()]
    if found["paired"]:
        parts.append(_paired(found["paired"]))
    parts.append(_budget(found["models"]))
    if rates := found.get("rates"):
        parts.append(_rates(rates))
    studies = found.get("studies", {})
    parts += [part(studies[name]) for name, part in STUDIES.items() if name in studies]
    return "\n\n".join(parts)


def _rows(*cells: list[str]) -> str:
    """A Markdown table; the first row is its head."""
    head, *rows = (f"| {' | '.join(row)} |" for row in cells)
    return "\n".join([head, "|" + " --- |" * len(cells[0]), *rows])


def _split_table(title: str, scored: Mapping[str, Any]) -> str:
    shown = [m for m in METRICS if any(row[m[0]] is not None for row in scored.values())]
    lines = [["answer", *(heading for _, heading, _ in shown), "prompts"]]
    for name, words in ROWS.items():
        if row := scored.get(name):
            cells = [value(row, key, digits) for key, _, digits in shown]
            prompts = f"{row['prompts']} of {row['of']}, {row['seconds']:.0f} s"
            lines.append([words.format(**row), *cells, prompts])
    return f"**{title}**\n\n{_rows(*lines)}"


def value(row: Mapping[str, Any], key: str, digits: int) -> str:
    """A mean, its error where that is known, and a dash where the metric has no meaning."""
    if row[key] is None:
        return "–"
    error = row.get(f"{key}_stderr")
    return f"{row[key]:.{digits}f}" + (f" ± {error:.{digits}f}" if error is not None else "")


def _paired(paired: Mapping[str, Any]) -> str:
    shown = [m for m in METRICS if any(m[0] in found for found in paired.values())]
    lines = [["split", *(heading for _, heading, _ in shown)]]
    for split, title in TITLES.items():
        if found := paired.get(split):
            cells = [_difference(found.get(key), digits) for key, _, digits in shown]
            lines.append([title, *cells])
    title = "**Pretrained − from scratch, prompt by prompt** (in brackets: how many are better)"
    return f"{title}\n\n{_rows(*lines)}"


def _difference(found: Mapping[str, Any] | None, digits: int) -> str:
    if found is None:
        return "–"
    error = "" if found["stderr"] is None else f" ± {found['stderr']:.{digits}f}"
    mean = f"{found['mean']:+.{digits}f}".replace("-", "−")
    return f"{mean}{error} ({found['better']} of {found['prompts']})"


def _budget(models: Mapping[str, Any]) -> str:
    lines = [
        ["model", "parameters", "steps", "windows a step", "minutes", "hardware", "validation"]
    ]
    for name in ("foundation", "scratch"):
        if facts := models.get(name):
            validation = f"SNR {facts['val_snr']:.2f} dB, STOI {facts['val_stoi']:.3f}"
            lines.append([
                name, f"{facts['parameters'] / 1e6:.1f} M", str(facts["steps_taken"]),
                str(facts["training"]["batch"]), f"{facts['minutes']:.0f}", facts["hardware"],
                validation,
            ])  # fmt: skip
    return f"**Budget**\n\n{_rows(*lines)}"


def _rates(rates: Mapping[str, Any]) -> str:
    by_name = {metric[0]: metric for metric in METRICS}
    shown = [by_name[name] for name in ("stoi", "pesq", "si_snr", "lsd")]
    lines = [["codec", "setting", "kbit/s", *(heading for _, heading, _ in shown)]]
    for curve, points in rates["curves"].items():
        for point in points:
            cells = [value(point, key, digits) for key, _, digits in shown]
            setting = point["label"].removeprefix(f"{curve}, ")
            lines.append([curve, setting, f"{point['kbit_s']:.1f}", *cells])
    heard = f"{rates['prompts']} held-out prompts, {rates['seconds']:.0f} s"
    title = f"**Quality against bytes a second** ({heard})"
    reading = f"\n\n{rates['reading']}" if rates["reading"] else ""
    return f"{title}\n\n{_rows(*lines)}{reading}"


def _inputs(rows: Mapping[str, Any]) -> str:
    lines = [["variant", "SNR (dB) ↑", "STOI ↑", "spectral error ↓", "steps", "minutes"]]
    for name, row in rows.items():
        lines.append([
            name, f"{row['val_snr']:.2f}", f"{row['val_stoi']:.3f}", f"{row['val_spectral']:.2f}",
            str(row["steps"]), f"{row['minutes']:.1f}",
        ])  # fmt: skip
    title = "**Study: what is heard, and how** (short trainings, one seed, validation prompts)"
    return f"{title}\n\n{_rows(*lines)}"


def _fields(rows: Mapping[str, Any]) -> str:
    lines = [["field", "SNR (dB) ↑", "worst fit (dB)", "weights", "weights a second of sound"]]
    for name, row in rows.items():
        lines.append([
            name, f"{row['snr_db']:.1f}", f"{row['worst_db']:.1f}", f"{row['parameters']:,}",
            f"{row['parameters_a_second'] / 1e6:.2f} M",
        ])  # fmt: skip
    title = "**Study: the field itself** (free fits of validation speech, the same short budget)"
    return f"{title}\n\n{_rows(*lines)}"


STUDIES = {"inputs": _inputs, "fields": _fields}
