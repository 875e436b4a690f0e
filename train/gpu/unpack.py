"""The weights that came back, as checkpoints: `python -m train.gpu.unpack FOLDER …`."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path

from hyperdemo.checkpoints import load_checkpoint
from hyperdemo.config import INITS
from train.gpu.parts import join


def unpack(folders: Sequence[Path], out: Path, *, runs: Path) -> list[str]:
    """Join each arm's parts, wherever they lie, and read the checkpoint once to check it.

    Args:
        folders: that hold parts.
        out: receives the checkpoints.
        runs: receives what else is known, in a folder per arm.

    Returns:
        Names of the checkpoints.

    Raises:
        ValueError: a part is missing or damaged, or no arm is there.
    """
    names = []
    for init in INITS:
        if any((folder / f"{init}.json").is_file() for folder in folders):
            name = f"view-{init}"
            join(init, folders, runs / init)
            load_checkpoint(runs / init, name)
            out.mkdir(parents=True, exist_ok=True)
            for end in (".safetensors", ".json"):
                shutil.move(runs / init / f"{name}{end}", out / f"{name}{end}")
            names.append(name)
    if not names:
        raise ValueError(f"no parts of {' or '.join(INITS)} in {', '.join(map(str, folders))}")
    return names


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m train.gpu.unpack", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("weights"))
    parser.add_argument("--runs", type=Path, default=Path("runs/view-gpu"))
    args = parser.parse_args(argv)
    print(*unpack(args.folders, args.out, runs=args.runs), sep="\n")


if __name__ == "__main__":
    main()
