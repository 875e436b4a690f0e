"""Everything that is generated from recorded results: `python -m train.report --write`.

Tables in README.md and docs/, the model cards beside the checkpoints, and the page's figures.
`--check` names each file that differs from the results and fails if there is one; prose around
the tables is not checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hyperdemo.results.measured import FILE_NAME as FILE
from hyperdemo.results.measured import to_json
from hyperdemo.results.recorded import FILE_NAME, read_recorded
from train.cluster.simulate import tables as scaling_tables
from train.report.cards import cards
from train.report.measured import measured
from train.report.sweep_tables import sweep_tables
from train.report.tables import summary_table, task_tables

COMMAND = "python -m train.report"


def sections(results: Mapping[str, Any]) -> dict[Path, dict[str, str]]:
    """Text by file and by the name of the markers that it stands between."""
    found = {Path("README.md"): {"results": summary_table(results)}}
    for task in ("view", "sound"):
        own = {"results": task_tables(task, results[task])} if task in results else {}
        if sweep := sweep_tables(task, results.get("sweeps", {}).get(task, {})):
            own["sweep"] = sweep
        found[Path(f"docs/results-{task}.md")] = own
    if "view" in results:
        found[Path("docs/scaling.md")] = scaling_tables(results)
    return found


def generated(root: Path, weights: Path) -> dict[Path, str]:
    """Files and the text that they should have.

    Raises:
        ValueError: a marker is not in its file once, or there are no results.
    """
    results = read_recorded(weights / FILE_NAME)
    texts = dict(cards(weights, results))
    texts[weights / FILE] = to_json(measured(results))
    for path, parts in sections(results).items():
        text = (root / path).read_text()
        for name, section in parts.items():
            text = replace_section(text, section, name=name, path=path)
        texts[root / path] = text
    return texts


def replace_section(text: str, section: str, *, name: str, path: Path) -> str:
    """A text with a new section between the markers of this name, which must be there once."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise ValueError(f"{path} must hold {begin} and {end} once each")
    head, rest = text.split(begin)
    return f"{head}{begin}\n{section}\n{end}{rest.split(end)[1]}"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("."), help="of README.md and docs/")
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", action="store_true")
    what.add_argument("--check", action="store_true")
    args = parser.parse_args(argv)
    try:
        texts = generated(args.root, args.weights)
    except (OSError, ValueError) as error:
        print(f"train.report: {error}")
        return 1
    stale = {p: t for p, t in texts.items() if not p.is_file() or p.read_text() != t}
    for path, text in stale.items():
        if args.write:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            print(f"wrote {path}")
        else:
            print(f"{path} differs from the results: run {COMMAND} --write")
    return 1 if stale and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
