"""Score checkpoints on objects that no training saw: `python -m train.view.evaluate`.

For every object of a split one random view is the input and four others are the targets, the
same for every answer. Data set and splits are those that the models trained on; of LearnIt's the
test split is scored, without the answers that need our meshes or our camera. Results go to the
key "view" of `weights/results.json` and leave the rest of it alone. Pictures are the fast
renderer's; a test holds them to 40 dB PSNR or more against the exact one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from hyperdemo.backbones import VitEncoder, build_vit
from hyperdemo.checkpoints import LoadedModel, load_checkpoint
from hyperdemo.config import BackboneConfig
from hyperdemo.learn.views import ViewSet
from hyperdemo.metrics import perceptual_distance, psnr, ssim
from hyperdemo.pipeline import choose_device
from hyperdemo.results.measured import METRICS
from hyperdemo.results.recorded import read_recorded
from train.config import ViewData
from train.objects.entries import read_entries
from train.paired import compare
from train.results_file import update
from train.subsets import spread
from train.view.answers import (
    Answer,
    Case,
    ceiling_answer,
    choose_cases,
    constant_answer,
    model_answer,
    nearest_answer,
    refined_answer,
)
from train.view.baselines import (
    NearestObject,
    mean_image,
    over_white,
    patch_features,
    pixels_for,
    whole_features,
)
from train.view.data import held_out, load_split, load_views, split_objects
from train.view.naming import NAMED, Gallery, gallery_of, truth_named

ORDER = (
    "white", "mean", "nearest", "scratch", "foundation", "scratch-refined", "foundation-refined",
    "ceiling",
)  # fmt: skip
"""Of the answers in the table."""
SCORER_FILE = "data/backbones/vit_small_patch14_dinov2.safetensors"
"""Weights of the encoder behind the perceptual distance, whatever is scored."""
SCORER_SIZE = 98
"""Side of the pictures that it compares, in pixels, where the models of one table differ."""


def score(
    encoder: VitEncoder,
    answer: np.ndarray,
    views: ViewSet,
    case: Case,
    *,
    gallery: Gallery | None = None,
) -> dict[str, float]:
    """Means over the targets of one case; the encoder gives the perceptual distance, and with a
    gallery the shares of the views that are named."""
    truth = over_white(views.rgba[case.obj, list(case.targets)].numpy())

    def features(batch: torch.Tensor) -> torch.Tensor:
        return patch_features(encoder, batch)[:, 1:]

    both = (pixels_for(encoder, pictures) for pictures in (answer, truth))
    distance = perceptual_distance(*both, features=features)
    named = {}
    if gallery:
        found = whole_features(encoder, pixels_for(encoder, answer))
        name, kind = views.ids[case.obj], views.classes[case.obj]
        named = gallery.name(found, name=name, kind=kind)
    return named | {
        "psnr": float(np.mean([psnr(a, t) for a, t in zip(answer, truth, strict=True)])),
        "ssim": float(np.mean([ssim(a, t) for a, t in zip(answer, truth, strict=True)])),
        "perceptual": float(distance.mean()),
    }


def summarise(rows: Sequence[dict[str, float]]) -> dict[str, float | None]:
    """Mean over objects of each metric, and the standard error of the mean PSNR if of several."""
    keys = [metric.key for metric in METRICS["view"]]
    keys += [key for key in NAMED if all(key in row for row in rows)]
    summary = {key: float(np.mean([row[key] for row in rows])) for key in keys}
    several = len(rows) > 1
    deviation = np.std([row["psnr"] for row in rows], ddof=1) if several else 0.0
    stderr = float(deviation / np.sqrt(len(rows))) if several else None
    return summary | {"psnr_stderr": stderr, "objects": len(rows)}


def evaluate_split(
    views: ViewSet,
    answers: dict[str, Answer],
    encoder: VitEncoder,
    *,
    few: dict[str, int],
    gallery: Gallery | None = None,
) -> Iterator[tuple[str, dict]]:
    """Score every answer on a split; `few` limits the objects of some, evenly spread."""
    cases = choose_cases(views)
    for name, answer in answers.items():
        chosen = spread(cases, few.get(name, len(cases)))
        started = time.monotonic()
        rows = [
            {"object": views.ids[case.obj], "class": views.classes[case.obj]}
            | score(encoder, answer(views, case), views, case, gallery=gallery)
            for case in tqdm(chosen, desc=name, unit="object", disable=None)
        ]
        seconds = (time.monotonic() - started) / len(rows)
        yield name, summarise(rows) | {"seconds_per_object": round(seconds, 3), "rows": rows}


def trained_on(models: Mapping[str, LoadedModel]) -> ViewData:
    """The data of the models' training.

    Raises:
        ValueError: they trained on different data sets or splits.
    """
    found = [ViewData(**loaded.facts["training"]["data"]) for loaded in models.values()]
    if len(kinds := {(data.format, data.splits_file) for data in found}) != 1:
        raise ValueError(f"models that share their splits expected, got {sorted(kinds)}")
    return found[0]


def names_of_answers(models: Sequence[str], data: ViewData) -> list[str]:
    """All answers that a data set allows, in the order of the table."""
    names = ["white", "mean", *models, "ceiling"]
    if data.format != "learnit":  # which has no meshes to turn, and other cameras than an upload
        names += ["nearest", *(f"{name}-refined" for name in models)]
    return sorted(names, key=_place)


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.view.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--models", nargs="+", default=["foundation", "scratch"])
    parser.add_argument("--views", help="folder of the data set (that of the models' training)")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    parser.add_argument("--objects", type=Path, help="folder of models beside the furniture")
    parser.add_argument("--splits", help="splits file (that of the models' training)")
    parser.add_argument("--backbone", default=SCORER_FILE)
    parser.add_argument("--ceiling-objects", type=int, default=4)
    parser.add_argument("--out", type=Path, help="results file (weights/results.json)")
    parser.add_argument("--ceiling-steps", type=int, default=300)
    parser.add_argument("--refine-steps", type=int, default=40)
    parser.add_argument("--refine-objects", type=int, default=20)
    parser.add_argument("--answers", nargs="+", help="only these, added to results that are there")
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    args = parser.parse_args(argv)
    args.device = choose_device(args.device)
    args.out = args.out or args.weights / "results.json"
    args.models = {
        name: load_checkpoint(args.weights, f"view-{name}", device=args.device)
        for name in args.models
    }
    args.data = trained_on(args.models)
    changes = {"views_dir": args.views, "splits_file": args.splits}
    args.data = replace(args.data, **{key: value for key, value in changes.items() if value})
    known = names_of_answers(list(args.models), args.data)
    if unknown := sorted(set(args.answers or ()) - set(known)):
        parser.error(f"no answer {', '.join(unknown)}; there are {', '.join(known)}")
    args.answers = [name for name in known if not args.answers or name in args.answers]
    if args.out.is_file():
        refuse_other_splits(read_recorded(args.out).get("view", {}), args.data.splits_file)
    return args


def build_answers(args: argparse.Namespace, encoder: VitEncoder | None = None) -> dict[str, Answer]:
    """The answers of `args.answers` by name; "nearest" alone needs the encoder."""
    config = next(iter(args.models.values())).model.config
    train_views = None
    if {"mean", "nearest"} & set(args.answers):
        ids, classes = split_objects(args.data, "train")
        if "nearest" not in args.answers:
            ids = spread(ids, 200)  # enough for a mean, of thousands
        size = config.backbone.image_size
        train_views = load_views(args.data, ids, classes=classes, input_size=size)

    build: dict[str, Callable[[], Answer]] = {
        "white": lambda: constant_answer(1.0),
        "mean": lambda: constant_answer(mean_image(train_views)),
        "nearest": lambda: nearest_answer(
            NearestObject(encoder, train_views, read_entries(args.sources, args.objects))
        ),
        "ceiling": partial(
            ceiling_answer, config.field, steps=args.ceiling_steps, device=args.device
        ),
    }
    for name, loaded in args.models.items():
        build[name] = partial(model_answer, loaded)
        build[f"{name}-refined"] = partial(refined_answer, loaded, steps=args.refine_steps)
    return {name: build[name]() for name in args.answers}


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    size = next(iter(args.models.values())).model.config.backbone.image_size
    encoder = build_vit(BackboneConfig(image_size=size), pretrained=args.backbone).eval()
    encoder.to(args.device)
    answers = build_answers(args, encoder)
    few = {"ceiling": args.ceiling_objects}
    few |= {name: args.refine_objects for name in answers if name.endswith("-refined")}
    held = {split: load_split(args.data, split, input_size=size) for split in held_out(args.data)}
    gallery = Gallery.joined(gallery_of(views, encoder) for views in held.values())
    for split, views in held.items():
        add_ceiling(args.out, split, truth_named(views, encoder, gallery))
        for name, result in evaluate_split(views, answers, encoder, few=few, gallery=gallery):
            model = name.removesuffix("-refined")
            facts = {model: dict(args.models[model].facts)} if model in args.models else {}
            splits_file = args.data.splits_file
            add_result(args.out, split, name, result, splits_file=splits_file, facts=facts)
            print(split, name, {k: v for k, v in result.items() if k != "rows"}, flush=True)


def add_ceiling(out: Path, split: str, named: Mapping[str, float | int]) -> None:
    """Write how often truth itself is named on a split."""

    def change(results: dict[str, Any]) -> None:
        results.setdefault("view", {}).setdefault("truth_named", {})[split] = dict(named)

    update(out, change)


def refuse_other_splits(recorded: Mapping[str, Any], splits_file: str) -> None:
    """Scores on different objects do not share a table.

    Raises:
        ValueError: there are results of another splits file.
    """
    theirs = recorded.get("splits_file", splits_file)
    if theirs != splits_file:
        raise ValueError(
            f"the results hold scores on {theirs}, which those on {splits_file} would replace; "
            'give another --out, or remove "view" from the file first'
        )


def add_result(
    out: Path, split: str, name: str, result: Mapping[str, Any], *, splits_file: str,
    facts: Mapping[str, Any],
) -> None:  # fmt: skip
    """Write an answer's scores on a split, and compare the two models anew.

    `facts` are of the model that answered, by its name, if one did.

    Raises:
        ValueError: there are results of another splits file.
    """

    def change(results: dict[str, Any]) -> None:
        recorded = results.setdefault("view", {})
        refuse_other_splits(recorded, splits_file)
        recorded["splits_file"] = splits_file
        recorded["models"] = recorded.get("models", {}) | dict(facts)
        splits = recorded.setdefault("splits", {})
        scored = splits.setdefault(split, {}) | {name: dict(result)}
        # Several processes may share the work: the order is that of the table.
        splits[split] = {key: scored[key] for key in sorted(scored, key=_place)}
        if {"foundation", "scratch"} <= set(scored):
            rows = (scored[model]["rows"] for model in ("foundation", "scratch"))
            recorded.setdefault("paired", {})[split] = {
                key: {"mean": it.mean, "stderr": it.stderr, "better": it.better, "objects": it.n}
                for key, it in compare("view", *rows).items()
            }

    update(out, change)


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


if __name__ == "__main__":
    main()
