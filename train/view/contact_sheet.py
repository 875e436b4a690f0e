"""Held-out objects side by side: `python -m train.view.contact_sheet`.

A row per object: the input view, then, from the side and from behind, the truth and each answer. Of
every class it is the object with the median score of the pretrained model, so that nobody chose
the good ones; `--every vehicle` shows all of a class instead. Writes
`weights/evidence/<name>.webp`, which the app and the README show, and its caption beside it.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from hyperdemo.checkpoints import load_checkpoint
from hyperdemo.learn.views import ViewSet
from hyperdemo.pipeline import choose_device
from hyperdemo.results.recorded import FILE_NAME, read_recorded
from train.config import ViewData
from train.view.answers import Answer, Case, choose_cases
from train.view.baselines import over_white
from train.view.data import load_split
from train.view.evaluate import build_answers

CLASSES = ("chair", "lamp", "table", "sofa", "vehicle", "plant", "food", "household")
TARGETS = {"from the side": 100.0, "from behind": 180.0}
"""Degrees of azimuth between the input view and the target."""
COLUMNS = {
    "foundation": "pretrained", "scratch": "from scratch",
    "foundation-refined": "pretrained, sharpened", "ceiling": "ceiling",
}  # fmt: skip
"""Answers beside the truth, and their headings."""

Picture = UInt8[np.ndarray, "h h 3"]

CAPTION = (
    "From the one picture on the left, the other sides of objects that no training saw: the truth, "
    "both models, and the pretrained one's answer after {steps} steps of descent on the given "
    "picture."
)
CEILING = "As a ceiling, the same small network fitted to {views} views of the object."
IN_THE_MIDDLE = (
    "In each class it is the object that scores in the middle, so nobody chose the good ones."
)

_GAP, _MARGIN, _HEADING, _LABELS = 6, 10, 26, 22
_INK, _PALE = (31, 41, 55), (107, 114, 128)


class Row(NamedTuple):
    """One object: its name, its input view, and by direction of `TARGETS` a picture per column."""

    name: str
    given: Picture
    targets: tuple[tuple[Picture, ...], ...]


def choose(
    kind: str, scored: Mapping[str, Mapping[str, Any]], *, every: bool = False
) -> tuple[str, list[str]]:
    """The split that holds a class, and the object of median PSNR (the lower of two), or all.

    Raises:
        ValueError: none of this class was scored.
    """
    for split, answers in scored.items():
        rows = answers["foundation"]["rows"]
        scores = {row["object"]: row["psnr"] for row in rows if row["class"] == kind}
        if scores:
            median = statistics.median_low(scores.values())
            middle = min(name for name, score in scores.items() if score == median)
            return split, sorted(scores) if every else [middle]
    raise ValueError(f"no object of class {kind!r} was scored")


def target_views(views: ViewSet, obj: int, *, source: int) -> tuple[int, ...]:
    """The rendered views whose azimuths are nearest to those of `TARGETS`, all different."""
    apart = torch.rad2deg(views.azimuths[obj] - views.azimuths[obj, source])
    found: list[int] = []
    for angle in TARGETS.values():
        # Either side will do; what counts is how far the camera went round.
        off = ((apart + 180) % 360 - 180).abs().sub(angle).abs()
        off[[source, *found]] = math.inf
        found.append(int(off.argmin()))
    return tuple(found)


def make_row(views: ViewSet, obj: int, answers: Mapping[str, Answer], *, name: str) -> Row:
    """The other sides of an object by every answer, from the input view that is scored, too."""
    source = choose_cases(views)[obj].source
    case = Case(obj, source, target_views(views, obj, source=source))
    truth = over_white(views.rgba[obj, list(case.targets)].numpy())
    columns = [truth, *(answer(views, case) for answer in answers.values())]
    given = over_white(views.rgba[obj, [source]].numpy())[0]
    pictures = [[_to_bytes(column[k]) for column in columns] for k in range(len(TARGETS))]
    return Row(name, _to_bytes(given), tuple(map(tuple, pictures)))


def _to_bytes(picture: Float[np.ndarray, "h h 3"]) -> Picture:
    return np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)


def draw_sheet(rows: Sequence[Row], columns: Sequence[str]) -> Image.Image:
    """All rows, with pictures of one size, under the names of the columns of a direction."""
    side = rows[0].given.shape[0]
    block = len(columns) * (side + _GAP) - _GAP
    lefts = [_MARGIN, *(_MARGIN + side + 3 * _GAP + k * (block + 3 * _GAP) for k in range(2))]
    top = _MARGIN + _HEADING + _LABELS
    size = lefts[2] + block + _MARGIN, top + len(rows) * (side + _LABELS) + _MARGIN
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)

    def place(picture: Picture, x: int, y: int) -> None:
        sheet.paste(Image.fromarray(picture), (x, y))
        draw.rectangle((x, y, x + side - 1, y + side - 1), outline=(229, 231, 235))

    large, small = ImageFont.load_default(15), ImageFont.load_default(12)
    draw.text((lefts[0], _MARGIN), "given", _INK, font=large)
    for left, heading in zip(lefts[1:], TARGETS, strict=True):
        draw.text((left, _MARGIN), heading, _INK, font=large)
        for k, name in enumerate(columns):
            draw.text((left + k * (side + _GAP), _MARGIN + _HEADING), name, _PALE, font=small)
    for index, row in enumerate(rows):
        y = top + index * (side + _LABELS)
        place(row.given, lefts[0], y)
        draw.text((lefts[0], y + side + 2), row.name, _PALE, font=small)
        for left, pictures in zip(lefts[1:], row.targets, strict=True):
            for k, picture in enumerate(pictures):
                place(picture, left + k * (side + _GAP), y)
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.view.contact_sheet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--views", default="data/views")
    parser.add_argument("--refine-steps", type=int, default=40)
    parser.add_argument("--ceiling-steps", type=int, default=300, help="0 leaves it out")
    parser.add_argument(
        "--every", choices=CLASSES, help="all held-out objects of a class, not one of each"
    )
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    args = parser.parse_args()
    args.device = choose_device(args.device)
    args.models = {
        name: load_checkpoint(args.weights, f"view-{name}", device=args.device)
        for name in ("foundation", "scratch")
    }
    args.answers = [name for name in COLUMNS if args.ceiling_steps or name != "ceiling"]
    answers = {COLUMNS[name]: answer for name, answer in build_answers(args).items()}
    size = args.models["foundation"].model.config.backbone.image_size
    recorded = read_recorded(args.weights / FILE_NAME)["view"]
    data = ViewData(views_dir=args.views, splits_file=recorded["splits_file"])
    rows = []
    for kind in [args.every] if args.every else CLASSES:
        split, chosen = choose(kind, recorded["splits"], every=bool(args.every))
        views = load_split(data, split, input_size=size)
        name = f"{kind}, an unseen class" if split == "unseen" else kind
        for one in chosen:
            rows.append(make_row(views, views.ids.index(one), answers, name=name))
            print(f"{kind}: {one}", flush=True)
    title = f"every-{args.every}" if args.every else "objects-in-the-middle-of-their-class"
    path = args.weights / "evidence" / f"{title}.webp"
    path.parent.mkdir(exist_ok=True)
    draw_sheet(rows, ["truth", *answers]).save(path, quality=90, method=6)
    which = f"These are all {args.every}s that were held out." if args.every else IN_THE_MIDDLE
    ceiling = CEILING.format(views=views.rgba.shape[1] - len(TARGETS)) if args.ceiling_steps else ""
    words = [CAPTION.format(steps=args.refine_steps), ceiling, which]
    path.with_suffix(".txt").write_text(" ".join(filter(None, words)) + "\n")
    print(path)


if __name__ == "__main__":
    main()
