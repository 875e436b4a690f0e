"""Score checkpoints on objects that no training saw: `python -m train.view.evaluate`.

For every object of a split one random view is the input and four others are the targets, the
same for every answer. Writes `weights/results.json`, of which `train.report.tables` makes the
README's table. Rendering is the fast renderer's, which tests hold within 38 dB of the exact one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from hyperdemo.backbones import VitEncoder, build_vit
from hyperdemo.checkpoints import LoadedModel, load_checkpoint
from hyperdemo.config import BackboneConfig, FieldConfig
from hyperdemo.inr import InrParams, as_field
from hyperdemo.metrics import perceptual_distance, psnr, ssim
from hyperdemo.model import to_pixels
from hyperdemo.pipeline import choose_device
from hyperdemo.preprocess import frame_alpha, frame_input
from hyperdemo.refine import find_camera, refine
from hyperdemo.render.bake import bake
from hyperdemo.render.march import march
from train.objects.catalogue import read_all
from train.results_file import update
from train.subsets import spread
from train.view.baselines import NearestObject, fit_inr, mean_image, over_white, patch_features
from train.view.data import ViewSet, load_views, read_split

METRICS = ("psnr", "ssim", "perceptual")
SPLITS = ("test", "unseen")
N_TARGETS = 4


@dataclass(frozen=True)
class Case:
    """One question: an object, the view that is shown, and the views that are asked for."""

    obj: int
    source: int
    targets: tuple[int, ...]


def choose_cases(views: ViewSet, *, seed: int = 0) -> list[Case]:
    """One case an object, drawn once and for all from the seed."""
    rng = np.random.default_rng(seed)
    cases = []
    for obj in range(len(views)):
        order = rng.permutation(views.rgba.shape[1])
        cases.append(Case(obj, int(order[0]), tuple(int(v) for v in order[1 : 1 + N_TARGETS])))
    return cases


Answer = Callable[[ViewSet, Case], np.ndarray]
"""From a case to float pictures `[t, h, h, 3]` in [0, 1] of its targets."""


def _poses(views: ViewSet, case: Case) -> np.ndarray:
    return views.poses_from(case.obj, case.source)[list(case.targets)].numpy()


def render_inr(config: FieldConfig, params: InrParams, views: ViewSet, case: Case) -> np.ndarray:
    """Targets of a case from generated or fitted weights in the frame of the input view."""
    # A grid of 96 is within 41 dB of the exact renderer, far closer than any answer to the truth.
    device = params.weights[0].device
    baked = bake(as_field(config, params), resolution=96, device=device)
    shots = [
        march(baked, pose, fov_deg=views.fov_deg, size=views.size, supersample=1)
        for pose in _poses(views, case)
    ]
    return np.stack([shot.rgb for shot in shots])


@torch.inference_mode()
def _write(loaded: LoadedModel, views: ViewSet, case: Case) -> InrParams:
    """The INR that a model writes for the view that is shown, on the model's device."""
    device = next(loaded.model.parameters()).device
    shown = views.framed[case.obj, case.source][None]
    return loaded.model.encode(to_pixels(shown, device=device))


def model_answer(loaded: LoadedModel) -> Answer:
    def answer(views: ViewSet, case: Case) -> np.ndarray:
        return render_inr(loaded.model.config.field, _write(loaded, views, case), views, case)

    return answer


def refined_answer(loaded: LoadedModel, *, steps: int) -> Answer:
    """What the model writes, fitted on to the picture that it was shown, as an upload would be.

    The camera of that picture is not told, but found from what was written.
    """
    config = loaded.model.config.field

    def answer(views: ViewSet, case: Case) -> np.ndarray:
        params = _write(loaded, views, case)
        device = params.weights[0].device
        rgba = views.rgba[case.obj, case.source].numpy()
        rgb = frame_input(rgba, size=views.size).astype(np.float32) / 255.0
        alpha = frame_alpha(rgba, size=views.size)
        camera = find_camera(
            bake(as_field(config, params), resolution=96, device=device), rgb, alpha
        )
        shown, opacity = (torch.from_numpy(part).to(device) for part in (rgb, alpha))
        *_, state = refine(config, params, shown, alpha=opacity, camera=camera, steps=steps)
        return render_inr(config, state.params, views, case)

    return answer


def nearest_answer(nearest: NearestObject) -> Answer:
    def answer(views: ViewSet, case: Case) -> np.ndarray:
        shown = nearest.render(views.framed[case.obj, case.source], _poses(views, case))
        return over_white(shown)

    return answer


def ceiling_answer(
    config: FieldConfig, *, steps: int, device: torch.device | str = "cpu"
) -> Answer:
    """The same INR fitted to the object's views, the targets left out."""

    def answer(views: ViewSet, case: Case) -> np.ndarray:
        kept = [v for v in range(views.rgba.shape[1]) if v not in case.targets]
        poses = views.poses_from(case.obj, case.source)
        params = fit_inr(
            config, views.rgba[case.obj, kept], poses[kept], fov_deg=views.fov_deg, steps=steps,
            device=device,
        )  # fmt: skip
        return render_inr(config, params, views, case)

    return answer


def constant_answer(picture: np.ndarray | float) -> Answer:
    def answer(views: ViewSet, case: Case) -> np.ndarray:
        shape = (len(case.targets), views.size, views.size, 3)
        return np.broadcast_to(picture, shape).astype(np.float32)

    return answer


class Scorer:
    """Scores answers; the perceptual distance uses the untrained pretrained backbone."""

    def __init__(self, encoder: VitEncoder):
        self.encoder = encoder

    def score(self, answer: np.ndarray, views: ViewSet, case: Case) -> dict[str, float]:
        """Means over the targets of one case."""
        truth = over_white(views.rgba[case.obj, list(case.targets)].numpy())
        return {
            "psnr": float(np.mean([psnr(a, t) for a, t in zip(answer, truth, strict=True)])),
            "ssim": float(np.mean([ssim(a, t) for a, t in zip(answer, truth, strict=True)])),
            "perceptual": self._perceptual(answer, truth),
        }

    def _perceptual(self, answer: np.ndarray, truth: np.ndarray) -> float:
        size = self.encoder.vit.patch_embed.img_size

        def pixels(pictures: np.ndarray) -> torch.Tensor:
            tensor = torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2)
            return torch.nn.functional.interpolate(
                tensor, size=tuple(size), mode="bilinear", antialias=True
            )

        def features(batch: torch.Tensor) -> torch.Tensor:
            return patch_features(self.encoder, batch)[:, 1:]

        distance = perceptual_distance(pixels(answer), pixels(truth), features=features)
        return float(distance.mean())


def summarise(rows: Sequence[dict[str, float]]) -> dict[str, float | None]:
    """Mean over objects of each metric, and the standard error of the mean PSNR if of several."""
    summary = {key: float(np.mean([row[key] for row in rows])) for key in METRICS}
    stderr = None
    if len(rows) > 1:
        deviation = np.std([row["psnr"] for row in rows], ddof=1)
        stderr = float(deviation / np.sqrt(len(rows)))
    return summary | {"psnr_stderr": stderr, "objects": len(rows)}


def evaluate_split(
    views: ViewSet, answers: dict[str, Answer], scorer: Scorer, *, few: dict[str, int]
) -> Iterator[tuple[str, dict]]:
    """Score every answer on a split; `few` limits an answer to so many objects, evenly spread."""
    cases = choose_cases(views)
    for name, answer in answers.items():
        chosen = cases
        if name in few:
            chosen = spread(cases, few[name])
        started = time.monotonic()
        rows = [
            {"object": views.ids[case.obj], "class": views.classes[case.obj]}
            | scorer.score(answer(views, case), views, case)
            for case in tqdm(chosen, desc=name, unit="object", disable=None)
        ]
        seconds = (time.monotonic() - started) / len(rows)
        yield name, summarise(rows) | {"seconds_per_object": round(seconds, 3), "rows": rows}


def trained_on(models: Mapping[str, LoadedModel]) -> str:
    """The splits file of the models' training.

    Raises:
        ValueError: they trained on different ones.
    """
    files = {loaded.facts["training"]["data"]["splits_file"] for loaded in models.values()}
    if len(files) != 1:
        raise ValueError(f"models that share their splits expected, got {sorted(files)}")
    return files.pop()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.view.evaluate", description=__doc__)
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--models", nargs="+", default=["foundation", "scratch"])
    parser.add_argument("--views", default="data/views")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    parser.add_argument("--splits", help="splits file (the one that the models trained on)")
    parser.add_argument("--backbone", default="data/backbones/vit_small_patch14_dinov2.safetensors")
    parser.add_argument("--ceiling-objects", type=int, default=4)
    parser.add_argument("--out", type=Path, help="results file (weights/results.json)")
    parser.add_argument("--ceiling-steps", type=int, default=300)
    parser.add_argument("--refine-steps", type=int, default=40)
    parser.add_argument("--refine-objects", type=int, default=40)
    parser.add_argument("--answers", nargs="*", help="only these, added to results that are there")
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    args = parser.parse_args()
    device = choose_device(args.device)
    models = {
        name: load_checkpoint(args.weights, f"view-{name}", device=device) for name in args.models
    }
    config = next(iter(models.values())).model.config
    size = config.backbone.image_size
    encoder = build_vit(BackboneConfig(image_size=size), pretrained=args.backbone).eval().to(device)

    splits_file = args.splits or trained_on(models)

    def load(split: str) -> ViewSet:
        ids, classes = read_split(splits_file, split)
        return load_views(args.views, ids, classes=classes, input_size=size)

    def wanted(name: str) -> bool:
        return not args.answers or name in args.answers

    answers: dict[str, Answer] = {"white": constant_answer(1.0)}
    if wanted("mean") or wanted("nearest"):
        train_views = load("train")
        answers["mean"] = constant_answer(mean_image(train_views))
    if wanted("nearest"):
        nearest = NearestObject(encoder, train_views, read_all(args.sources))
        answers["nearest"] = nearest_answer(nearest)
    answers |= {name: model_answer(loaded) for name, loaded in models.items()}
    answers |= {
        f"{name}-refined": refined_answer(loaded, steps=args.refine_steps)
        for name, loaded in models.items()
    }
    answers["ceiling"] = ceiling_answer(config.field, steps=args.ceiling_steps, device=device)
    answers = {name: answer for name, answer in answers.items() if wanted(name)}
    out = args.out or args.weights / "results.json"
    facts = {name: dict(loaded.facts) for name, loaded in models.items()}
    few = {"ceiling": args.ceiling_objects}
    few |= {name: args.refine_objects for name in answers if name.endswith("-refined")}
    for split in SPLITS:
        for name, result in evaluate_split(load(split), answers, Scorer(encoder), few=few):
            add_result(out, split, name, result, splits_file=splits_file, facts=facts)
            print(split, name, {k: v for k, v in result.items() if k != "rows"}, flush=True)


def add_result(
    out: Path,
    split: str,
    name: str,
    result: Mapping[str, Any],
    *,
    splits_file: str,
    facts: Mapping[str, Any],
) -> None:
    """Write how an answer did on a split; scores on other splits' objects go."""

    def change(results: dict[str, Any]) -> None:
        recorded = results.setdefault("view", {})
        if recorded.get("splits_file") != splits_file:
            recorded |= {"splits_file": splits_file, "splits": {}}
        recorded["models"] = dict(facts)
        scored = recorded["splits"].setdefault(split, {}) | {name: dict(result)}
        # Several processes may share the work: the order is that of the table.
        recorded["splits"][split] = {key: scored[key] for key in sorted(scored, key=_place)}

    update(out, change)


ORDER = (
    "white", "mean", "nearest", "scratch", "foundation", "scratch-refined", "foundation-refined",
    "ceiling",
)  # fmt: skip


def _place(name: str) -> int:
    return ORDER.index(name) if name in ORDER else len(ORDER)


if __name__ == "__main__":
    main()
