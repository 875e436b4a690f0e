"""Makes the page's recording of two recorded trainings, see `hyperdemo.results.learning`.

python -m train.run --config view-sweep --init foundation --record
python -m train.run --config view-sweep --init scratch --set lr_backbone=3e-5 --record
python -m train.view.learning runs/view-sweep-foundation-full runs/view-sweep-scratch-full
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from hyperdemo.examples import HeldOut
from hyperdemo.media import decode_image
from hyperdemo.preprocess import prepare
from hyperdemo.results.learning import FILE_NAME, TRUTH
from train.view.record import FOLDER, SCORES, SIDE, VIEWS, read_scores, shown_objects, shrunk

QUALITY = 80


def make_learning(runs: Mapping[str, Path], objects: Sequence[HeldOut], out: Path) -> None:
    """Write the recording of both arms.

    Args:
        runs: folder of each arm's run, by the model's short name.
        objects: that the runs were shown.
        out: folder of the recording.

    Raises:
        ValueError: a run is not recorded to its end, or the runs do not fit each other.
    """
    scores = {arm: read_scores(run / FOLDER / SCORES) for arm, run in runs.items()}
    steps = {arm: [row["step"] for row in rows] for arm, rows in scores.items()}
    facts = {arm: json.loads((run / "run.json").read_text()) for arm, run in runs.items()}
    for arm, run in runs.items():
        if not steps[arm] or steps[arm][-1] != facts[arm]["config"]["steps"]:
            raise ValueError(f"{run} is not recorded to its end")
    kept, *others = steps.values()
    if any(other != kept for other in others):
        raise ValueError("the runs were recorded at different steps")
    out.mkdir(parents=True, exist_ok=True)
    for arm, run in runs.items():
        rows = [np.asarray(Image.open(run / FOLDER / f"{step:06d}.png")) for step in kept]
        _save(out / f"{arm}.webp", np.concatenate(rows))
    _save(out / f"{TRUTH}.webp", _truth(objects))
    content = {
        "steps": kept,
        "objects": [one.name for one in objects],
        "train_objects": next(iter(facts.values()))["train_objects"],
        "arms": {
            arm: {
                "psnr": [row["psnr"] for row in scores[arm]],
                "validation": _validation(run / "metrics.jsonl"),
                "config": facts[arm]["config"],
                "git": facts[arm]["git"],
            }
            for arm, run in runs.items()
        },
    }
    (out / FILE_NAME).write_text(json.dumps(content) + "\n")


def _truth(objects: Sequence[HeldOut]) -> UInt8[np.ndarray, "h w 3"]:
    columns = [
        [
            prepare(decode_image(one.picture), size=SIDE).framed,
            *(shrunk(one.truth[view], size=SIDE) for view in VIEWS),
        ]
        for one in objects
    ]
    return np.concatenate([np.concatenate(column) for column in columns], axis=1)


def _validation(path: Path) -> list[tuple[int, float]]:
    rows: list[dict[str, Any]] = [json.loads(line) for line in path.read_text().splitlines()]
    return [(row["step"], round(row["val_psnr"], 3)) for row in rows if "val_psnr" in row]


def _save(path: Path, rgb: UInt8[np.ndarray, "h w 3"]) -> None:
    Image.fromarray(rgb).save(path, quality=QUALITY, method=6)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("foundation", type=Path, help="folder of the pretrained model's run")
    parser.add_argument("scratch", type=Path, help="folder of the other one's")
    parser.add_argument("--out", type=Path, default=Path("weights/learning"))
    args = parser.parse_args()
    objects = shown_objects(Path("examples/objects"))
    make_learning({"foundation": args.foundation, "scratch": args.scratch}, objects, args.out)


if __name__ == "__main__":
    main()
