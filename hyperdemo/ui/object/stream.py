"""From the pipeline's events to what the page shows: a plain generator of typed updates.

It knows no Gradio. Files are written to a folder that the caller owns.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from hyperdemo.config import ViewRequest
from hyperdemo.events import (
    Compared,
    Done,
    Encoded,
    Frames,
    MeshReady,
    Progress,
    Views,
    VolumeReady,
)
from hyperdemo.examples import HeldOut
from hyperdemo.inr import InrParams
from hyperdemo.inr.export import export_inr
from hyperdemo.media import save_png
from hyperdemo.media.video import join_ts, save_ts
from hyperdemo.metrics import psnr, ssim
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.preprocess import Prepared
from hyperdemo.ui.object.panels import OrbitSheet, comparison_sheet
from hyperdemo.ui.object.texts import LABELS

MIN_PANEL = 256
"""Panels are shown no smaller than this, in pixels, or the labels could not be read."""


@dataclass(frozen=True)
class Status:
    """How far the work is, in [0, 1], and in words what is being done."""

    fraction: float
    message: str


@dataclass(frozen=True)
class Chunk:
    """The next stretch of the orbit as an MPEG-TS file; it joins the one before without a gap."""

    path: Path


Steps = Mapping[int, Mapping[str, Path]]
"""Fields on the way of the fine-tuning, by step and model, as files for the browser."""


@dataclass(frozen=True)
class Sharpened:
    """All steps so far, so that a page may miss any update but the last."""

    steps: Steps


@dataclass(frozen=True)
class Scores:
    """A model against the truth: means over the views other than its input."""

    psnr_db: float
    ssim: float
    n_views: int


@dataclass(frozen=True)
class Result:
    """All that came out.

    Attributes:
        orbit: the whole turn as an MP4 that loops.
        meshes: the surface of each model's field as a GLB file; None where there is none.
        networks: each model's generated network as a ZIP of safetensors and JSON.
        n_parameters: weights of each generated network.
        seconds: time by stage, as in `hyperdemo.events.Done`.
        device: what it was computed on, in words.
        sheet: truth and models beside each other as a PNG, where there is a truth.
        scores: each model's scores, where there is a truth.
        volumes: each model's field as a file to be turned in the browser, of the fast renderer.
        steps: the way to it, where it was fine-tuned and is still known.
        compared: with the objects of training, where these are known.
        sharpened: fine-tuned on the picture.
    """

    orbit: Path
    meshes: Mapping[str, Path | None]
    networks: Mapping[str, Path]
    n_parameters: Mapping[str, int]
    seconds: Mapping[str, float]
    device: str
    sheet: Path | None = None
    scores: Mapping[str, Scores] = field(default_factory=dict)
    volumes: Mapping[str, Path] = field(default_factory=dict)
    steps: Steps = field(default_factory=dict)
    compared: Compared | None = None
    sharpened: bool = False


Update = Status | Chunk | Compared | Sharpened | Result


def stream_views(
    pipeline: ViewPipeline,
    prepared: Prepared,
    request: ViewRequest,
    *,
    folder: Path,
    held_out: HeldOut | None = None,
) -> Iterator[Update]:
    """Run the pipeline and hand on what the page needs, as soon as it is there.

    Closing the generator stops the work. Its last update is the `Result`.

    Args:
        pipeline: the loaded models.
        prepared: the object, cut out and framed.
        request: size and length of the orbit.
        folder: where files are written; it exists, and belongs to this one call.
        held_out: the object's truth, if it is known.
    """
    show = _Show(pipeline, prepared, request, folder, held_out)
    events = pipeline.view(prepared, request, poses=held_out.views if held_out else None)
    for event in events:
        match event:
            case Progress(fraction, message):
                yield Status(fraction, _in_words(message))
            case Frames():
                yield Chunk(show.add_frames(event))
            case Encoded(name, params, _):
                show.add_network(name, params)
            case Compared():
                show.compared = event
                yield event
            case Views(name, _, rgb):
                show.views.setdefault(name, []).append(rgb)
            case VolumeReady(name, volume, None):
                show.volumes[name] = show.write(f"field-{name}.volume", volume)
            case VolumeReady(name, volume, step):
                path = show.write(f"field-{name}-{step}.volume", volume)
                show.steps.setdefault(step, {})[name] = path
                if step in (complete := show.complete_steps()):
                    yield Sharpened(complete)
            case MeshReady(name, glb):
                show.meshes[name] = None if glb is None else show.write(f"mesh-{name}.glb", glb)
            case Done():
                yield Status(0.98, "joining the video")
                yield show.finish(event)


class _Show:
    """What one request has collected so far."""

    def __init__(
        self,
        pipeline: ViewPipeline,
        prepared: Prepared,
        request: ViewRequest,
        folder: Path,
        held_out: HeldOut | None,
    ):
        self.pipeline, self.request = pipeline, request
        self.folder, self.held_out = folder, held_out
        self.sheet = OrbitSheet(
            [LABELS.get(name, name) for name in pipeline.models],
            size=max(request.size, MIN_PANEL),
            framed=prepared.framed,
        )
        self.chunks: list[Path] = []
        self.networks: dict[str, Path] = {}
        self.n_parameters: dict[str, int] = {}
        self.meshes: dict[str, Path | None] = {}
        self.volumes: dict[str, Path] = {}
        self.steps: dict[int, dict[str, Path]] = {}
        self.views: dict[str, list[UInt8[np.ndarray, "n h h 3"]]] = {}
        self.compared: Compared | None = None

    def add_frames(self, event: Frames) -> Path:
        rgb, depth = list(event.rgb.values()), list(event.depth.values())
        part = [
            self.sheet.frame([c[k] for c in rgb], [d[k] for d in depth]) for k in range(len(rgb[0]))
        ]
        path = self.folder / f"orbit-{event.start:04d}.ts"
        self.chunks.append(save_ts(part, path, fps=self.request.fps, start_frame=event.start))
        return path

    def add_network(self, name: str, params: InrParams) -> None:
        loaded = self.pipeline.models[name]
        provenance = {"model": loaded.name, "git": str(loaded.facts.get("git", "unknown"))}
        exported = export_inr(params, loaded.model.config.field, provenance=provenance)
        path = self.folder / f"network-{name}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.safetensors", exported.safetensors)
            archive.writestr(f"{name}.json", json.dumps(exported.description, indent=1) + "\n")
        self.networks[name] = path
        self.n_parameters[name] = params.n_parameters

    def write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    def complete_steps(self) -> Steps:
        """Those that all models have taken."""
        return {step: files for step, files in sorted(self.steps.items())
                if len(files) == len(self.pipeline.models)}  # fmt: skip

    def finish(self, done: Done) -> Result:
        chunks = (path.read_bytes() for path in self.chunks)
        orbit = join_ts(chunks, self.folder / "orbit.mp4", fps=self.request.fps)
        sheet, scores = None, {}
        if self.held_out is not None:
            truth = self.held_out.truth
            scores = {
                name: score_views(np.concatenate(rgb), truth) for name, rgb in self.views.items()
            }
            sheet = save_png(self._compare(truth), self.folder / "truth.png")
        return Result(
            orbit, self.meshes, self.networks, self.n_parameters, dict(done.seconds), done.device,
            sheet, scores, self.volumes, self.complete_steps(), self.compared,
            sharpened=self.request.refine_steps > 0,
        )  # fmt: skip

    def _compare(self, truth: UInt8[np.ndarray, "n h h 3"]) -> np.ndarray:
        rows = [("Ground truth", list(truth))]
        rows += [
            (LABELS.get(name, name), list(np.concatenate(rgb))) for name, rgb in self.views.items()
        ]
        return comparison_sheet(rows, size=truth.shape[1], first_is="the leftmost is the input")


def score_views(
    rendered: UInt8[np.ndarray, "n h h 3"], truth: UInt8[np.ndarray, "n h h 3"]
) -> Scores:
    """Mean PSNR and SSIM over all views but the first, which the model was shown.

    Raises:
        ValueError: the shapes differ.
    """
    if rendered.shape != truth.shape:
        raise ValueError(f"views like the truth's {truth.shape} expected, got {rendered.shape}")
    first = 1 if len(truth) > 1 else 0
    pairs = list(zip(rendered[first:], truth[first:], strict=True))
    return Scores(
        psnr_db=float(np.mean([psnr(a, b) for a, b in pairs])),
        ssim=float(np.mean([ssim(a, b) for a, b in pairs])),
        n_views=len(pairs),
    )


def _in_words(message: str) -> str:
    for name, label in LABELS.items():
        message = message.replace(f"{name}:", f"{label}:")
    return message
