"""What a model answers while it learns: pictures of the page's examples with a truth.

`python -m train.run --config view-sweep --init foundation --record` leaves them in the folder
`recording` of the run: a strip of pictures for each recorded step, and `scores.jsonl`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from hyperdemo.examples import HeldOut, read_held_out
from hyperdemo.inr import as_field
from hyperdemo.media import decode_image
from hyperdemo.metrics.image import psnr
from hyperdemo.model import HyperModel, to_pixels
from hyperdemo.preprocess import prepare
from hyperdemo.render.quadrature import render_view

VIEWS = (0, 3)
"""What is drawn of each object: the input's own view, and one 135° further round."""
SHOWN = (
    "kaykit.car-police-2753",
    "kator-legaz-vw-new-beetle",
    "quaternius.tree1-2202",
    "tinytreats.cake-birthday-3130",
    "tinytreats.teapot-3208",
    "blend-swap-cc-by-sofa3",
    "blend-swap-cc-0-chair",
    "scopia-bar-table",
)
SIDE, SAMPLES = 96, 40
FOLDER, SCORES = "recording", "scores.jsonl"


def recorded_steps(steps: int, *, n: int = 20) -> frozenset[int]:
    """Steps of a run that are recorded: the first and the last, and most of them early."""
    return frozenset(round(steps * (k / (n - 1)) ** 2) for k in range(n))


def shown_objects(folder: Path) -> list[HeldOut]:
    """The examples that are drawn, in their order.

    Raises:
        ValueError: one of them is not there.
    """
    return [read_held_out(folder / name) for name in SHOWN]


class Recorder:
    """Draws what a model answers at some steps of its training.

    Args:
        objects: with their truth; the run never sees them.
        out: folder of the run.
        steps: to record.
    """

    def __init__(self, objects: Sequence[HeldOut], out: Path, *, steps: frozenset[int]):
        self.objects, self.out, self.steps = objects, out / FOLDER, steps
        self.out.mkdir(parents=True, exist_ok=True)

    @torch.no_grad()
    def __call__(self, step: int, model: HyperModel) -> None:
        """Draw and score the model if this step is one to record.

        The strip has a column for each object and a row for each of `VIEWS`; the score is the PSNR
        in dB of each object's last view.
        """
        if step not in self.steps:
            return
        training = model.training
        model.eval()
        drawn = [self._draw(model, one) for one in self.objects]
        model.train(training)
        truth = [shrunk(one.truth[VIEWS[-1]], size=SIDE) for one in self.objects]
        scores = [psnr(views[-1], true) for views, true in zip(drawn, truth, strict=True)]
        strip = np.concatenate([np.concatenate(views, axis=0) for views in drawn], axis=1)
        Image.fromarray(strip).save(self.out / f"{step:06d}.png")
        path = self.out / SCORES
        kept = [row for row in read_scores(path) if row["step"] < step]
        rows = [*kept, {"step": step, "psnr": [round(x, 3) for x in scores]}]
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))

    def _draw(self, model: HyperModel, one: HeldOut) -> list[UInt8[np.ndarray, "s s 3"]]:
        config, device = model.config, next(model.parameters()).device
        rgba = decode_image(one.picture)
        framed = prepare(rgba, size=config.backbone.image_size).framed
        field = as_field(
            config.field, model.encode(to_pixels(torch.from_numpy(framed)[None], device=device))
        )
        poses = torch.as_tensor(one.views.poses[list(VIEWS)], dtype=torch.float32, device=device)
        seen = [
            render_view(
                field, pose, fov_deg=one.views.fov_deg, size=SIDE, n_samples=SAMPLES
            ).rgb.clamp(0, 1)
            for pose in poses
        ]
        return [(255 * rgb).round().to(torch.uint8).cpu().numpy() for rgb in seen]


def read_scores(path: Path) -> list[dict]:
    """The rows of a recording so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def shrunk(rgb: UInt8[np.ndarray, "h w 3"], *, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """Averages over areas."""
    return np.asarray(Image.fromarray(rgb).resize((size, size), Image.Resampling.BOX))
