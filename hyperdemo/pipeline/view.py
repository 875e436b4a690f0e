"""A picture in, a generator of typed events out, and no state per user.

`ViewPipeline` may be shared by many threads: it keeps nothing of a request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import CAMERA_DISTANCE, CAMERA_FOV_DEG, ViewRequest
from hyperdemo.events import Done, Encoded, Event, Frames, MeshReady, Progress, Views
from hyperdemo.inr import Field, InrParams, as_field
from hyperdemo.model import to_pixels
from hyperdemo.pipeline.pair import ModelPair
from hyperdemo.pipeline.runtime import Stages
from hyperdemo.preprocess import Prepared, prepare
from hyperdemo.render.bake import BakedField, bake
from hyperdemo.render.cameras import PosedViews, orbit
from hyperdemo.render.march import march, warm_up
from hyperdemo.render.mesh import extract_mesh, mesh_to_glb
from hyperdemo.render.quadrature import render_view

# Nodes along an axis of the baked grid, and steps a ray takes through it: within 41 dB of the exact
# renderer on a fitted INR, at less than half the cost of 128.
GRID = 96

Shot = Callable[
    [Float[np.ndarray, "4 4"], float, int], tuple[np.ndarray, np.ndarray, np.ndarray]
]
"""From pose, fov_deg and size to colour `[h, w, 3]`, opacity and depth `[h, w]`, all floats."""


class ViewPipeline(ModelPair):
    """From one picture to the orbits, meshes and weights of the INRs that each model writes.

    Args:
        models: loaded checkpoints by the name they are shown under.
        device: where the models live.
    """

    task = "view"

    @property
    def input_size(self) -> int:
        """Side in pixels of the framed input that the models read."""
        return next(iter(self.models.values())).model.config.backbone.image_size

    def warm_up(self) -> None:
        """Compile the renderer and touch every weight, so that no visitor waits for it."""
        warm_up()
        side = self.input_size
        for loaded in self.models.values():
            self.encode(np.full((side, side, 3), 255, np.uint8), loaded)

    def prepare(
        self,
        rgba: UInt8[np.ndarray, "h w 4"],
        *,
        mask: np.ndarray | None = None,
    ) -> Prepared:
        """Cut the object out and frame it as the models expect.

        Raises:
            ValueError: nothing, or nothing but the object, is in the picture.
        """
        return prepare(rgba, size=self.input_size, mask=mask)

    @torch.inference_mode()
    def encode(self, framed: UInt8[np.ndarray, "s s 3"], loaded: LoadedModel) -> InrParams:
        """The INR that one model writes for a framed picture."""
        return loaded.model.encode(to_pixels(torch.from_numpy(framed)[None], device=self.device))

    def view(
        self,
        prepared: Prepared,
        request: ViewRequest,
        *,
        names: Sequence[str] | None = None,
        poses: PosedViews | None = None,
    ) -> Iterator[Event]:
        """Encode, then stream the orbits of all models in step, then views, then meshes.

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
        shots: dict[str, Shot] = {}
        fields: dict[str, Field] = {}
        surfaces: dict[str, BakedField] = {}
        for k, name in enumerate(names):
            yield Progress(0.1 * k / len(names), f"{name}: writing the network's weights")
            with clock.stage(f"{name}.encode"):
                params = self.encode(prepared.framed, self.models[name])
            yield Encoded(name, params, clock.seconds[f"{name}.encode"])
            fields[name] = as_field(self.models[name].model.config.field, params)
        for k, name in enumerate(names):
            yield Progress(0.1 + 0.1 * k / len(names), f"{name}: evaluating the field")
            with clock.stage(f"{name}.bake"):
                if request.renderer == "fast":
                    surfaces[name] = baked = bake(
                        fields[name], resolution=GRID, device=self.device
                    )
                    shots[name] = _marcher(baked)
                else:
                    shots[name] = self._integrator(fields[name])
        yield from self._orbit(shots, request, clock)
        if poses is not None:
            size = request.pose_size or request.size
            for name, shot in shots.items():
                yield Progress(0.9, f"{name}: rendering the poses asked for")
                with clock.stage(f"{name}.views"):
                    taken = [shot(pose, poses.fov_deg, size)[0] for pose in poses.poses]
                    rgb = np.stack([_to_bytes(picture) for picture in taken])
                yield Views(name, rgb)
        for name in names:
            yield Progress(0.95, f"{name}: extracting the surface")
            with clock.stage(f"{name}.mesh"):
                glb = self._mesh(surfaces.get(name, fields[name]))
            yield MeshReady(name, glb)
        yield Done(clock.seconds)

    def _orbit(
        self, shots: Mapping[str, Shot], request: ViewRequest, clock: Stages
    ) -> Iterator[Event]:
        cameras = orbit(request.n_frames, request.elevation_deg)
        for start in range(0, request.n_frames, request.chunk_frames):
            part = cameras[start : start + request.chunk_frames]
            with clock.stage("orbit"):
                taken = {
                    name: [shot(pose, CAMERA_FOV_DEG, request.size) for pose in part]
                    for name, shot in shots.items()
                }
                frames = Frames(
                    start,
                    {n: np.stack([_to_bytes(rgb) for rgb, _, _ in s]) for n, s in taken.items()},
                    {n: np.stack([depth_picture(d, a) for _, a, d in s]) for n, s in taken.items()},
                )
            yield frames
            done = (start + len(part)) / request.n_frames
            yield Progress(0.2 + 0.7 * done, f"frame {start + len(part)} of {request.n_frames}")

    def _integrator(self, field: Field) -> Shot:
        """A camera that integrates the field itself along every ray."""

        def exact(
            pose: np.ndarray, fov_deg: float, size: int
        ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            on_device = torch.as_tensor(pose, dtype=torch.float32, device=self.device)
            seen = render_view(field, on_device, fov_deg=fov_deg, size=size)
            return seen.rgb.cpu().numpy(), seen.alpha.cpu().numpy(), seen.depth.cpu().numpy()

        return exact

    def _mesh(self, source: BakedField | Field) -> bytes | None:
        try:
            return mesh_to_glb(extract_mesh(source, device=self.device))
        except ValueError:
            # A field of pure haze has no surface; that is a result to show, not a failure.
            return None


def _marcher(baked: BakedField) -> Shot:
    """A camera that marches rays through a baked field."""
    return lambda pose, fov_deg, size: march(
        baked, pose, fov_deg=fov_deg, size=size, n_steps=GRID
    )


def depth_picture(
    depth: Float[np.ndarray, "h w"], alpha: Float[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """Depth as grey: the near side of the unit sphere black, the far side light, over white."""
    near, far = CAMERA_DISTANCE - 1.0, CAMERA_DISTANCE + 1.0
    shade = np.clip((depth - near) / (far - near), 0.0, 1.0) * 0.85
    grey = shade * alpha + 1.0 - alpha
    return _to_bytes(np.repeat(grey[..., None], 3, axis=-1))


def _to_bytes(image: np.ndarray) -> np.ndarray:
    return (np.clip(image, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
