"""A recorded training of both models, as the page shows it: `weights/learning`.

`python -m train.view.learning` makes it of two runs. It holds `learning.json`, a strip of pictures
for each model (a row for each recorded step and view, a column for each object), and the same
objects as they are (`truth.webp`, a row for each view, after one of the inputs).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

FOLDER, FILE_NAME, TRUTH = "learning", "learning.json", "truth"
VIEWS = 2
"""Rows of a step: the input's own view, and one further round."""


@dataclass(frozen=True)
class RecordedArm:
    """One model's training.

    Attributes:
        psnr: in dB, of each object's last view at each recorded step.
        validation: step and mean PSNR in dB on all validation objects.
    """

    psnr: tuple[tuple[float, ...], ...]
    validation: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Recorded:
    """Both trainings, step by step.

    Attributes:
        folder: of the pictures.
        steps: that were recorded, the last one the end of the training.
        objects: held-out ones, by name.
        train_objects: how many were learnt from.
        arms: by the models' short names.
    """

    folder: Path
    steps: tuple[int, ...]
    objects: tuple[str, ...]
    train_objects: int
    arms: Mapping[str, RecordedArm]

    def picture(self, name: str) -> Path:
        """The strip of an arm, or of `TRUTH`."""
        return self.folder / f"{name}.webp"


def find_recorded(weights: str | Path) -> Recorded | None:
    """The recording beside the checkpoints; None where there is none.

    Raises:
        ValueError: it is damaged, or its parts do not fit each other.
    """
    folder = Path(weights) / FOLDER
    if not (folder / FILE_NAME).is_file():
        return None
    try:
        content = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
        recorded = Recorded(
            folder,
            tuple(content["steps"]),
            tuple(content["objects"]),
            content["train_objects"],
            {
                name: RecordedArm(
                    tuple(map(tuple, arm["psnr"])), tuple(map(tuple, arm["validation"]))
                )
                for name, arm in content["arms"].items()
            },
        )
        _check(recorded)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder} holds no recording that can be shown: {error}") from error
    return recorded


def _check(recorded: Recorded) -> None:
    n, m = len(recorded.steps), len(recorded.objects)
    for name, arm in recorded.arms.items():
        if [len(row) for row in arm.psnr] != [m] * n:
            raise ValueError(f"{name} has not a score for each of {n} steps and {m} objects")
        _check_strip(recorded.picture(name), rows=VIEWS * n, columns=m)
    _check_strip(recorded.picture(TRUTH), rows=VIEWS + 1, columns=m)


def _check_strip(path: Path, *, rows: int, columns: int) -> None:
    with Image.open(path) as picture:
        width, height = picture.size
    if width * rows != height * columns:
        raise ValueError(f"{path.name} is not {rows} rows of {columns} square pictures")
