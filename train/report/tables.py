"""The README's tables from `weights/results.json`: `python -m train.report.tables --write`.

`--check` fails where the README says anything else, so no number in it can go stale. The sound
task and each task's sweep have sections of their own, which must be there once there are results
for them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hyperdemo.results.recorded import read_recorded
from train.report.sound_tables import sound_table
from train.report.sweep_tables import METRICS, sweep_tables

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
SOUND_BEGIN, SOUND_END = "<!-- sound results: begin -->", "<!-- sound results: end -->"
SWEEP_BEGIN, SWEEP_END = "<!-- {} sweep: begin -->", "<!-- {} sweep: end -->"
NOT_YET = "Not measured yet."
ROWS = (
    ("white", "white picture"),
    ("mean", "mean picture of the training set"),
    ("nearest", "nearest training object, from the asked pose"),
    ("scratch", "**hypernetwork from scratch**"),
    ("foundation", "**hypernetwork, pretrained (DINOv2)**"),
    ("scratch-refined", "from scratch, then 40 steps on the picture"),
    ("foundation-refined", "pretrained, then 40 steps on the picture"),
    ("ceiling", "ceiling: the same INR fitted to 28 views"),
)
TITLES = {"test": "Held-out objects", "unseen": "Held-out classes"}


def table(results: dict[str, Any]) -> str:
    """Markdown of all splits."""
    parts = [
        _split_table(_title(split, scored), scored) for split, scored in results["splits"].items()
    ]
    return "\n\n".join([*parts, _budget(results["models"])])


def _title(split: str, scored: Mapping[str, Any]) -> str:
    """Name of a split; of held-out classes, which they are."""
    classes = held_out_classes(scored) if split == "unseen" else []
    return TITLES[split] + (f" ({', '.join(classes)})" if classes else "")


def held_out_classes(scored: Mapping[str, Any]) -> list[str]:
    """The classes of all objects that were scored, the largest first."""
    rows = max((answer.get("rows", []) for answer in scored.values()), key=len, default=[])
    return [name for name, _ in Counter(row["class"] for row in rows).most_common()]


def _split_table(title: str, scored: dict[str, Any]) -> str:
    lines = [
        f"**{title}**",
        "",
        "| answer | PSNR (dB) ↑ | SSIM ↑ | perceptual ↓ | objects |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, words in ROWS:
        if name in scored:
            row = scored[name]
            spread = f" ± {row['psnr_stderr']:.2f}" if row["psnr_stderr"] is not None else ""
            lines.append(
                f"| {words} | {row['psnr']:.2f}{spread} | {row['ssim']:.3f} "
                f"| {row['perceptual']:.3f} | {row['objects']} |"
            )
    return "\n".join(lines)


def _budget(models: dict[str, Any]) -> str:
    lines = [
        "**Budget**",
        "",
        "| model | parameters | steps | objects a step | minutes | hardware | validation PSNR |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, facts in models.items():
        lines.append(
            f"| {name} | {facts['parameters'] / 1e6:.1f} M | {facts['steps_taken']} "
            f"| {facts['training']['batch']} | {facts['minutes']:.0f} | {facts['hardware']} "
            f"| {facts['val_psnr']:.2f} dB |"
        )
    return "\n".join(lines)


def replace_section(text: str, section: str, *, begin: str = BEGIN, end: str = END) -> str:
    """The README with a new section between two markers.

    Raises:
        ValueError: the markers are not there, once each.
    """
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"README.md must hold {begin} and {end} once each")
    head, rest = text.split(begin)
    return f"{head}{begin}\n{section}\n{end}{rest.split(end)[1]}"


def with_tables(text: str, results: Mapping[str, Any]) -> str:
    """The README with all its tables as the results have them.

    Raises:
        ValueError: a section that results need is not there, once.
    """
    text = replace_section(text, table(results["view"]))
    sound = sound_table(results["sound"]) if "sound" in results else ""
    text = _replace_optional(text, sound, begin=SOUND_BEGIN, end=SOUND_END)
    for task in METRICS:
        section = sweep_tables(task, results.get("sweeps", {}).get(task, {}))
        begin, end = SWEEP_BEGIN.format(task), SWEEP_END.format(task)
        text = _replace_optional(text, section, begin=begin, end=end)
    return text


def _replace_optional(text: str, section: str, *, begin: str, end: str) -> str:
    """A section that must be there where there are results for it."""
    if section or begin in text or end in text:
        return replace_section(text, section or NOT_YET, begin=begin, end=end)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m train.report.tables", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path("weights/results.json"))
    parser.add_argument("--readme", type=Path, default=Path("README.md"))
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true")
    what.add_argument("--check", action="store_true")
    args = parser.parse_args()
    text = args.readme.read_text()
    try:
        wanted = with_tables(text, read_recorded(args.results))
    except ValueError as error:
        print(f"train.report.tables: {error}")
        return 1
    if args.write:
        args.readme.write_text(wanted)
    elif text != wanted:
        print(
            f"{args.readme} differs from {args.results}: run python -m train.report.tables --write"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
