"""A picture in, a generator of typed events out, and no state per user.

`ViewPipeline` may be shared by many threads. Results of recent pictures stay in a bounded cache.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from hyperdemo.checkpoints import LoadedModel, find_weights
from hyperdemo.config import ModelConfig, ViewRequest
from hyperdemo.events import Done, Encoded, Event, MeshReady, Progress, Views, VolumeReady
from hyperdemo.inr import Field, InrParams, as_field
from hyperdemo.known import KnownObjects, find_known
from hyperdemo.model import to_pixels
from hyperdemo.pipeline.compared import COMPARES, compare
from hyperdemo.pipeline.kept import Kept
from hyperdemo.pipeline.orbit import Shot, rendered_chunks, to_bytes
from hyperdemo.pipeline.pair import ModelPair
from hyperdemo.pipeline.refined import GRID, Refiner, in_step
from hyperdemo.pipeline.runtime import MODEL_NAMES, Stages
from hyperdemo.preprocess import Other, Prepared, prepare
from hyperdemo.render.bake import BakedField, bake
from hyperdemo.render.cameras import PosedViews, orbit
from hyperdemo.render.grid_field import GridField
from hyperdemo.render.march import march, n_cores, rays_a_side, warm_up
from hyperdemo.render.mesh import NoSurface, extract_mesh, mesh_to_glb
from hyperdemo.render.quadrature import render_view
from hyperdemo.render.rays import RayLoss
from hyperdemo.render.volume import pack_volume

KEPT_BYTES = 256 * 2**20
"""Memory of the cache: about 8 pictures with two models."""

REFINED_SHARE = 0.7
"""Of a request's progress that is through when the networks are fine-tuned."""


class ViewPipeline(ModelPair):
    """From one picture to orbits, meshes and weights of each model's INR; see `ModelPair`.

    Args:
        known: what the models practised on, as the model `COMPARES` sees it; without it pictures
            are not compared.
    """

    task = "view"

    def __init__(
        self,
        models: Mapping[str, LoadedModel],
        *,
        device: torch.device,
        known: KnownObjects | None = None,
    ):
        super().__init__(models, device=device)
        self.known = known if COMPARES in self.models else None
        self._kept = Kept(KEPT_BYTES)

    @classmethod
    def from_weights(
        cls,
        directory: str | Path | None = None,
        *,
        names: Sequence[str] = MODEL_NAMES,
        device: str | None = None,
    ) -> ViewPipeline:
        """As `ModelPair.from_weights`, with the objects of training where these are beside it."""
        directory = find_weights(directory)
        pair = super().from_weights(directory, names=names, device=device)
        if COMPARES not in names:
            return pair
        known = find_known(directory, pair.models[COMPARES])
        return cls(pair.models, device=pair.device, known=known)

    def to(self, device: torch.device) -> ViewPipeline:
        return type(self)(super().to(device).models, device=device, known=self.known)

    @staticmethod
    def input_of(config: ModelConfig) -> int:
        """Side in pixels of the framed input."""
        return config.backbone.image_size

    @property
    def input_size(self) -> int:
        """Side in pixels of the framed input that the models read."""
        return self.input_of(next(iter(self.models.values())).model.config)

    def warm_up(self) -> None:
        """Answer a first request, which compiles and loads code that a visitor would wait for."""
        warm_up()
        grey = np.full((self.input_size, self.input_size, 4), (128, 128, 128, 255), np.uint8)
        grey[: self.input_size // 3, :, 3] = 0
        for _ in self.view(self.prepare(grey), ViewRequest(size=64, n_frames=2)):
            pass

    def prepare(
        self,
        rgba: UInt8[np.ndarray, "h w 4"],
        *,
        mask: np.ndarray | None = None,
        other: Other | None = None,
    ) -> Prepared:
        """Cut the object out and frame it for the models; see `preprocess.prepare`."""
        return prepare(rgba, size=self.input_size, mask=mask, other=other)

    @torch.inference_mode()
    def encode(self, framed: UInt8[np.ndarray, "s s 3"], loaded: LoadedModel) -> InrParams:
        """The INR that one model writes for a framed picture."""
        pixels = to_pixels(torch.from_numpy(framed)[None], device=self.device)
        return self.write(loaded, pixels).params()

    def view(
        self,
        prepared: Prepared,
        request: ViewRequest,
        *,
        names: Sequence[str] | None = None,
        poses: PosedViews | None = None,
    ) -> Iterator[Event]:
        """Encode and compare, then stream the orbits in step, then views, volumes and meshes.

        The generator can be closed at any event; nothing runs on.

        Args:
            prepared: the object, cut out and framed.
            request: size, length and renderer.
            names: models to show, in this order; all if not given.
            poses: further cameras to render, in the frame of the input view.

        Raises:
            ValueError: a name that no model has.
        """
        names = self.chosen(names)
        clock = Stages()
        # The cache's key is the pixels that the models read, whoever brought them.
        picture = hashlib.sha256(prepared.framed.tobytes()).digest()
        written = yield from self._write(names, prepared, picture, clock)
        if self.known is not None:
            with clock.stage(f"{COMPARES}.compare"):
                compared = compare(
                    prepared.framed, self.known, self.models[COMPARES], device=self.device
                )
            yield compared
        begun = 0.0
        if request.refine_steps:
            begun = REFINED_SHARE
            refiner = Refiner(
                self._kept, prepared, steps=request.refine_steps, device=self.device,
                shown=request.refine_shown,
            )  # fmt: skip
            share = 0.1, begun - 0.1
            fits = {
                name: refiner.refine(
                    name, self.models[name].model.config.field, params, key=(picture, name),
                    objective=RayLoss.recorded(self.models[name].facts), share=share, clock=clock,
                )
                for name, params in written.items()
            }  # fmt: skip
            written, picture = (yield from in_step(fits)), refiner.picture
        with closing(self._shown(written, picture, request, poses, clock)) as events:
            for event in events:
                if isinstance(event, Progress):
                    event = replace(event, fraction=begun + (1 - begun) * event.fraction)
                yield event
        yield Done(clock.seconds, self.device_name)

    def _shown(
        self,
        written: Mapping[str, InrParams],
        picture: bytes,
        request: ViewRequest,
        poses: PosedViews | None,
        clock: Stages,
    ) -> Iterator[Event]:
        """What the networks look like: orbits, views, volumes and meshes."""
        fields = {
            name: as_field(self.models[name].model.config.field, params)
            for name, params in written.items()
        }
        baked: dict[str, BakedField] = {}
        if request.renderer == "fast":
            baked = yield from self._bake(fields, picture, clock)
            shots = {name: self._marcher(grid) for name, grid in baked.items()}
        else:
            shots = {name: self._integrator(field) for name, field in fields.items()}
        yield from self._orbit(shots, request, clock)
        if poses is not None:
            side = request.pose_size or request.size
            yield from _views(shots, poses, side, request.chunk_frames, clock)
        for name, grid in baked.items():
            pack = functools.partial(pack_volume, grid)
            with clock.stage(f"{name}.pack"):
                volume = self._kept.get((picture, name, "volume"), pack)
            yield VolumeReady(name, volume)
        for name, field in fields.items():
            yield Progress(0.95, f"{name}: extracting the surface")
            mesh = functools.partial(self._mesh, baked.get(name, field))
            with clock.stage(f"{name}.mesh"):
                glb = self._kept.get((picture, name, "mesh", request.renderer), mesh)
            yield MeshReady(name, glb)

    def _write(
        self, names: Sequence[str], prepared: Prepared, picture: bytes, clock: Stages
    ) -> Generator[Event, None, dict[str, InrParams]]:
        """Encode the picture with each model; returns the networks."""
        written: dict[str, InrParams] = {}
        for k, name in enumerate(names):
            yield Progress(0.1 * k / len(names), f"{name}: writing the network's weights")
            encode = functools.partial(self.encode, prepared.framed, self.models[name])
            with clock.stage(f"{name}.encode"):
                params = self._kept.get((picture, name, "params"), encode)
            yield Encoded(name, params.cpu(), clock.seconds[f"{name}.encode"])
            written[name] = params
        return written

    def _bake(
        self, fields: Mapping[str, Field], picture: bytes, clock: Stages
    ) -> Generator[Event, None, dict[str, BakedField]]:
        """Bake each field into a grid; returns the grids."""
        grids: dict[str, BakedField] = {}
        for k, (name, field) in enumerate(fields.items()):
            yield Progress(0.1 + 0.1 * k / len(fields), f"{name}: evaluating the field")
            make = functools.partial(bake, field, resolution=GRID, device=self.device)
            with clock.stage(f"{name}.bake"):
                grids[name] = self._kept.get((picture, name, "baked"), make)
        return grids

    def _orbit(
        self, shots: Mapping[str, Shot], request: ViewRequest, clock: Stages
    ) -> Iterator[Event]:
        cameras = orbit(request.n_frames, request.elevation_deg)
        # On a GPU, and with the exact renderer, one frame uses the whole device.
        alone = request.renderer == "exact" or self.device.type != "cpu"
        chunks = rendered_chunks(
            shots, cameras, size=request.size, chunk_frames=request.chunk_frames,
            n_workers=1 if alone else n_cores(),
        )  # fmt: skip
        with closing(chunks):
            while True:
                with clock.stage("orbit"):
                    frames = next(chunks, None)
                if frames is None:
                    return
                yield frames
                done = frames.start + len(next(iter(frames.rgb.values())))
                words = f"frame {done} of {request.n_frames}"
                yield Progress(0.2 + 0.7 * done / request.n_frames, words)

    def _marcher(self, baked: BakedField) -> Shot:
        """A camera that marches rays through a baked field."""
        if self.device.type != "cpu":
            return self._integrator(GridField(baked, device=self.device), rays=2**16)
        # Frames are rendered side by side, each on one core.
        return lambda pose, fov_deg, size: march(
            baked, pose, fov_deg=fov_deg, size=size, n_steps=GRID, n_threads=1
        )

    def _integrator(self, field: Field, *, rays: int = 4096) -> Shot:
        """A camera that integrates a field along every ray, so many rays at a time."""

        def exact(pose: np.ndarray, fov_deg: float, size: int) -> tuple[np.ndarray, ...]:
            on_device = torch.as_tensor(pose, dtype=torch.float32).to(self.device)
            seen = render_view(
                field, on_device, fov_deg=fov_deg, size=size, n_samples=GRID, chunk=rays,
                supersample=rays_a_side(GRID, pose, fov_deg=fov_deg, size=size),
            )  # fmt: skip
            return tuple(t.cpu().numpy() for t in (seen.rgb, seen.alpha, seen.depth))

        return exact

    def _mesh(self, source: BakedField | Field) -> bytes | None:
        try:
            return mesh_to_glb(extract_mesh(source, device=self.device))
        except NoSurface:  # a field of pure haze; that is a result to show, not a failure
            return None


def _views(
    shots: Mapping[str, Shot], poses: PosedViews, size: int, n_at_once: int, clock: Stages
) -> Iterator[Event]:
    """Pictures from cameras that the caller gave."""
    n = len(poses.poses)
    for k, (name, shot) in enumerate(shots.items()):
        for start in range(0, n, n_at_once):
            through = (k + start / n) / len(shots)
            yield Progress(0.9 + 0.05 * through, f"{name}: view {start + 1} of {n}")
            with clock.stage(f"{name}.views"):
                some = poses.poses[start : start + n_at_once]
                taken = [to_bytes(shot(pose, poses.fov_deg, size)[0]) for pose in some]
            yield Views(name, start, np.stack(taken))
