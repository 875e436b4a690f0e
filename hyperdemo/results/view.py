"""The results of one picture as files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from hyperdemo.config import ViewRequest
from hyperdemo.events import Compared, Done, Encoded, Event, Frames, MeshReady, Views
from hyperdemo.inr.export import export_inr
from hyperdemo.media.image import decode_image, save_png
from hyperdemo.media.video import Mp4Writer
from hyperdemo.metrics import psnr, ssim
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.preprocess import composite_on_white
from hyperdemo.render.cameras import PosedViews
from hyperdemo.results.files import origin, write_network, write_result


class ViewWriter:
    """Takes the events of one request and writes `DIR/<model>/…` and `DIR/result.json`.

    Pictures are written as they come, so that memory does not grow with their number. As a context
    manager it removes unfinished orbits when anything goes wrong.

    Args:
        out: the folder, made if it is not there.
        pipeline: where the events come from.
        request: what was asked for.
        poses: further cameras that were asked for, with ground truth where there is any.
    """

    def __init__(
        self,
        out: Path,
        pipeline: ViewPipeline,
        *,
        request: ViewRequest,
        poses: PosedViews | None = None,
    ):
        self.out, self.pipeline, self.request, self.poses = out, pipeline, request, poses
        self._orbits: dict[str, Mp4Writer] = {}
        self._scores: dict[str, list[dict[str, Any]]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.seconds: dict[str, float] = {}
        self.device = ""
        self._compared: dict[str, Any] = {}

    def take(self, event: Event) -> None:
        """Write what an event carries."""
        match event:
            case Encoded():
                self._write_network(event)
            case Frames():
                for name, rgb in event.rgb.items():
                    if name not in self._orbits:
                        path = self.out / name / "orbit.mp4"
                        self._orbits[name] = Mp4Writer(path, fps=self.request.fps)
                    self._orbits[name].write(rgb)
            case Compared():
                nearest = {
                    "name": event.name, "class": event.kind, "distance": event.distance,
                    "far": event.far, "objects": event.n_objects,
                }  # fmt: skip
                self._compared = {"nearest_known": nearest}
            case Views():
                self._write_views(event)
            case MeshReady(name, glb):
                self.models[name]["mesh"] = None
                if glb is not None:
                    self.models[name]["mesh"] = "mesh.glb"
                    (self.out / name / "mesh.glb").write_bytes(glb)
            case Done(seconds, device):
                self.seconds, self.device = dict(seconds), device

    def finish(self, *, photo: Path, mask_source: str) -> Path:
        """End the orbits and write `result.json`; returns its path.

        A view whose true picture is the photo itself was shown to the models: its scores are
        listed, but not averaged.
        """
        while self._orbits:
            self._orbits.popitem()[1].close()
        for name, scores in self._scores.items():
            self.models[name]["metrics"] = self._metrics(scores, photo)
        request = self.request
        facts = {
            "photo": photo.name,
            "mask_source": mask_source,
            "device": self.device,
            "renderer": request.renderer,
            "refine_steps": request.refine_steps,
            "orbit": {"size": request.size, "frames": request.n_frames, "fps": request.fps},
            **self._compared,
        }
        return write_result(self.out, "view", facts, seconds=self.seconds, models=self.models)

    def _write_network(self, event: Encoded) -> None:
        loaded = self.pipeline.models[event.name]
        folder = self.out / event.name
        folder.mkdir(parents=True, exist_ok=True)
        exported = export_inr(event.params, loaded.model.config.field, provenance=origin(loaded))
        self.models[event.name] = {
            **write_network(folder, exported),
            "inr_parameters": event.params.n_parameters,
        }

    def _write_views(self, event: Views) -> None:
        assert self.poses is not None
        folder = self.out / event.name / "views"
        folder.mkdir(exist_ok=True)
        for index, picture in enumerate(event.rgb, start=event.start):
            save_png(picture, folder / f"{index:03d}.png")
            if (truth := self.poses.images[index]) is not None:
                score = score_view(picture, decode_image(truth, max_side=None))
                self._scores.setdefault(event.name, []).append({"view": index} | score)
        self.models[event.name]["views"] = event.start + len(event.rgb)

    def _metrics(self, scores: list[dict[str, Any]], photo: Path) -> dict[str, Any]:
        assert self.poses is not None
        shown = photo.read_bytes() if photo.is_file() else None
        truths = {s["view"]: self.poses.images[s["view"]] for s in scores}
        others = [s for s in scores if truths[s["view"]].read_bytes() != shown]
        means = {
            key: _finite(float(np.mean([s[key] for s in others]))) if others else None
            for key in ("psnr", "ssim")
        }
        views = [s | {"psnr": _finite(s["psnr"]), "shown": s not in others} for s in scores]
        return means | {"views": views}

    def __enter__(self) -> ViewWriter:
        return self

    def __exit__(self, *_: object) -> None:
        for orbit in self._orbits.values():
            orbit.discard()


def check_truths(poses: PosedViews) -> None:
    """Open every picture that views are to be compared with.

    Raises:
        ValueError: one is broken or not square; the message names it.
    """
    for path in filter(None, poses.images):
        try:
            height, width = decode_image(path, max_side=None).shape[:2]
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if height != width:
            raise ValueError(f"{path}: a square picture expected, got {width} x {height} pixels")


def _finite(decibels: float) -> float | None:
    """None for a view that equals its truth: JSON has no infinity."""
    return decibels if math.isfinite(decibels) else None


def score_view(
    picture: UInt8[np.ndarray, "h w 3"], truth: UInt8[np.ndarray, "a b 4"]
) -> dict[str, float]:
    """PSNR in dB and SSIM of a rendered view against a ground-truth picture over white.

    A truth of another size is resampled to the view's: by area, if it is larger.
    """
    target = composite_on_white(truth) / 255
    height, width = picture.shape[:2]
    if target.shape[:2] != (height, width):
        shrinks = target.shape[0] >= height
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        target = np.clip(cv2.resize(target, (width, height), interpolation=how), 0.0, 1.0)
    rendered = picture.astype(np.float32) / 255
    return {"psnr": psnr(rendered, target), "ssim": ssim(rendered, target)}
