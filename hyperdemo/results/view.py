"""The results of one picture as files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import UInt8

from hyperdemo.config import ViewRequest
from hyperdemo.events import Done, Encoded, Event, Frames, MeshReady, Views
from hyperdemo.inr.export import export_inr
from hyperdemo.media.image import decode_image, save_png
from hyperdemo.media.video import encode_mp4
from hyperdemo.metrics import psnr, ssim
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.preprocess import composite_on_white
from hyperdemo.render.cameras import PosedViews
from hyperdemo.results.files import origin, write_network, write_result


class ViewWriter:
    """Takes the events of one request and writes `DIR/<model>/…` and `DIR/result.json`.

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
        self.frames: dict[str, list[UInt8[np.ndarray, "f h w 3"]]] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.seconds: dict[str, float] = {}

    def take(self, event: Event) -> None:
        """Write what an event carries."""
        match event:
            case Encoded():
                self._write_network(event)
            case Frames():
                for name, rgb in event.rgb.items():
                    self.frames.setdefault(name, []).append(rgb)
            case Views():
                self._write_views(event)
            case MeshReady(name, glb):
                self.models[name]["mesh"] = None
                if glb is not None:
                    self.models[name]["mesh"] = "mesh.glb"
                    (self.out / name / "mesh.glb").write_bytes(glb)
            case Done(seconds):
                self.seconds = dict(seconds)

    def finish(self, *, photo: Path, mask_source: str) -> Path:
        """Write the orbits and `result.json`; returns its path."""
        for name, chunks in self.frames.items():
            frames = np.concatenate(chunks)
            encode_mp4(frames, self.out / name / "orbit.mp4", fps=self.request.fps)
        request = self.request
        facts = {
            "photo": photo.name,
            "mask_source": mask_source,
            "device": self.pipeline.device_name,
            "renderer": request.renderer,
            "refine_steps": request.refine_steps,
            "orbit": {"size": request.size, "frames": request.n_frames, "fps": request.fps},
        }
        return write_result(self.out, facts, seconds=self.seconds, models=self.models)

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
        for index, picture in enumerate(event.rgb):
            save_png(picture, folder / f"{index:03d}.png")
        scores = [
            {"view": index} | score_view(picture, decode_image(truth, max_side=None))
            for index, (picture, truth) in enumerate(zip(event.rgb, self.poses.images, strict=True))
            if truth is not None
        ]
        self.models[event.name]["views"] = len(event.rgb)
        if scores:
            self.models[event.name]["metrics"] = {
                "psnr": _finite(float(np.mean([s["psnr"] for s in scores]))),
                "ssim": float(np.mean([s["ssim"] for s in scores])),
                "views": [s | {"psnr": _finite(s["psnr"])} for s in scores],
            }


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
