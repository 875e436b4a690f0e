"""How fast a picture becomes fields, and fields become frames and orbits."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench.timing import bar, rounds, row, stamped, timed
from hyperdemo.config import CAMERA_FOV_DEG, ViewRequest
from hyperdemo.inr import as_field
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.pipeline.view import GRID
from hyperdemo.preprocess import Prepared
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import orbit
from hyperdemo.render.march import march
from hyperdemo.render.quadrature import render_view
from hyperdemo.ui.object.stream import Chunk, Result, Status, Update, stream_views

READY_S = 1.0
"""Bar: seconds to generate a field and bake it."""

RATIO = 40.0
"""Bar: time of an exact frame over that of a fast one with its share of the bake."""

RATIO_SIZE = 256
"""Side of the frames, in pixels, that this bar is about."""

# Frames that the fast renderer makes, evenly round the object, for one of the exact renderer; the
# former's cost depends on where the camera stands, the latter's does not.
_FAST_FRAMES = 8

# In seconds. Another round of a size is begun while its exact frames so far took less.
_PATIENCE_S = 20.0


def bench_writing(pipeline: ViewPipeline, prepared: Prepared, *, repeats: int) -> dict[str, Any]:
    """Seconds of each model to generate a field, and to bake it."""

    device = pipeline.device

    def once() -> dict[str, float]:
        found = {}
        for name, loaded in pipeline.models.items():
            encode = partial(pipeline.encode, prepared.framed, loaded)
            encode_s, params = timed(encode, device=device)
            field = as_field(loaded.model.config.field, params)
            bake_s, _ = timed(partial(bake, field, resolution=GRID, device=device), device=device)
            found |= {
                f"encode, {name}": encode_s,
                f"bake, {name}": bake_s,
                f"encode + bake, {name}": encode_s + bake_s,
            }
        return found

    rows = {name: row(values, "s") for name, values in rounds(once, repeats=repeats).items()}
    together = [f"encode + bake, {name}" for name in pipeline.models]
    return {"rows": rows, "bars": [bar(name, rows[name], below=READY_S) for name in together]}


def bench_frames(
    pipeline: ViewPipeline,
    prepared: Prepared,
    *,
    repeats: int,
    sizes: Sequence[int] = (128, 256, 512),
    n_frames: int = 96,
) -> dict[str, Any]:
    """Milliseconds per frame of both renderers by size, with as many samples, and their ratio.

    The first model's field is rendered. A size has `repeats` rounds, fewer where they take long.

    Args:
        pipeline: the loaded models.
        prepared: the object.
        repeats: rounds per size.
        sizes: sides of the frames in pixels.
        n_frames: frames that share the time of one bake.
    """
    rows, bars = {}, []
    for size in sizes:
        camera = _Cameras(pipeline, prepared, size)
        camera.warm_up()
        done = [camera.one_round(n_frames)]
        while len(done) < repeats and sum(found["exact"] for found in done) < _PATIENCE_S * 1e3:
            done.append(camera.one_round(n_frames))
        for name in done[0]:
            unit = "ms" if name in ("exact", "fast") else "×"
            rows[f"{size} px: {name}"] = row([found[name] for found in done], unit)
        if size == RATIO_SIZE:
            name = f"{size} px: exact / (fast + its share of the bake)"
            bars.append(bar(name, rows[name], at_least=RATIO))
    notes = [
        f"{GRID} samples per ray in both; the bake is shared by {n_frames} frames",
        "exact: every pixel is traced; fast: as in the app, alike neighbours are interpolated",
    ]
    return {"rows": rows, "bars": bars, "notes": notes}


class _Cameras:
    """Both renderers of one field."""

    def __init__(self, pipeline: ViewPipeline, prepared: Prepared, size: int):
        name, loaded = next(iter(pipeline.models.items()))
        params = pipeline.encode(prepared.framed, loaded)
        self.device, self.size = pipeline.device, size
        self.field = as_field(loaded.model.config.field, params)
        self.poses = orbit(_FAST_FRAMES, ViewRequest().elevation_deg)

    def warm_up(self) -> None:
        """Do what is done only once; an exact frame of full size would take too long for that."""
        march(self.bake(), self.poses[0], fov_deg=CAMERA_FOV_DEG, size=self.size, n_steps=GRID)
        self.exact(min(self.size, 32))

    def bake(self):
        return bake(self.field, resolution=GRID, device=self.device)

    def exact(self, size: int) -> None:
        pose = torch.from_numpy(self.poses[0]).to(self.device)
        render_view(self.field, pose, fov_deg=CAMERA_FOV_DEG, size=size, n_samples=GRID)

    def one_round(self, n_frames: int) -> dict[str, float]:
        """Half of the fast frames come before the exact one, half after it."""
        bake_s, baked = timed(self.bake, device=self.device)

        def fast(poses) -> None:
            for pose in poses:
                march(baked, pose, fov_deg=CAMERA_FOV_DEG, size=self.size, n_steps=GRID)

        half = len(self.poses) // 2
        before_s, _ = timed(lambda: fast(self.poses[:half]), device=self.device)
        exact_s, _ = timed(lambda: self.exact(self.size), device=self.device)
        after_s, _ = timed(lambda: fast(self.poses[half:]), device=self.device)
        fast_s = (before_s + after_s) / len(self.poses)
        return {
            "exact": 1e3 * exact_s,
            "fast": 1e3 * fast_s,
            "exact / fast": exact_s / fast_s,
            "exact / (fast + its share of the bake)": exact_s / (fast_s + bake_s / n_frames),
        }


def bench_orbits(
    pipeline: ViewPipeline,
    prepared: Prepared,
    *,
    repeats: int,
    request: ViewRequest | None = None,
) -> dict[str, Any]:
    """Seconds to render and encode all models' orbits, against their playing time."""
    request = request or ViewRequest()

    def once() -> dict[str, float]:
        with tempfile.TemporaryDirectory(prefix="hyperdemo-") as folder:
            # A pipeline may remember a picture; one of its own for each run has not seen it.
            fresh = ViewPipeline(pipeline.models, device=pipeline.device)
            stream = stream_views(fresh, prepared, request, folder=Path(folder))
            return orbit_seconds(list(stamped(stream)), last_model=list(pipeline.models)[-1])

    rows = {name: row(values, "s") for name, values in rounds(once, repeats=repeats).items()}
    plays_s = request.n_frames / request.fps
    name = "first frame begun to last chunk"
    return {
        "rows": rows,
        "bars": [bar(name, rows[name], below=plays_s)],
        "notes": [
            f"{len(pipeline.models)} orbits of {request.n_frames} frames of {request.size} px, "
            f"which play for {plays_s:g} s"
        ],
    }


def orbit_seconds(updates: Sequence[tuple[float, Update]], *, last_model: str) -> dict[str, float]:
    """Times of one run of `stream_views`, from its stamped updates.

    No update marks the begin of the first frame, which is the end of the last bake. The status
    before the first chunk marks the begin of that bake, and the result holds its duration.
    """
    chunks = [seconds for seconds, update in updates if isinstance(update, Chunk)]
    before = itertools.takewhile(lambda pair: not isinstance(pair[1], Chunk), updates)
    told = [(seconds, update) for seconds, update in before if isinstance(update, Status)]
    begun, message = told[-1][0], told[-1][1].message
    if "evaluating the field" in message:
        result = next(update for _, update in updates if isinstance(update, Result))
        begun += result.seconds[f"{last_model}.bake"]
    return {
        "picture given to first chunk": chunks[0],
        "picture given to last chunk": chunks[-1],
        "first frame begun to last chunk": chunks[-1] - begun,
    }
