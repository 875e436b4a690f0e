"""Answers to the question of the view task: given one view of an object, predict others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams, as_field
from hyperdemo.learn.views import ViewSet
from hyperdemo.model import to_pixels
from hyperdemo.preprocess import frame_alpha, frame_input
from hyperdemo.refine import find_camera, refine
from hyperdemo.render.bake import bake
from hyperdemo.render.march import march
from hyperdemo.render.rays import RayLoss
from train.view.baselines import NearestObject, fit_inr, over_white

N_TARGETS = 4
GRID = 96
"""Nodes along each axis of the grids that the fast renderer shows."""


@dataclass(frozen=True)
class Case:
    """One question: an object, its input view, and its target views."""

    obj: int
    source: int
    targets: tuple[int, ...]


def choose_cases(views: ViewSet, *, seed: int = 0) -> list[Case]:
    """One case per object, drawn once and for all from the seed."""
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
    device = params.weights[0].device
    baked = bake(as_field(config, params), resolution=GRID, device=device)
    camera = {"fov_deg": views.fov_deg, "size": views.size, "supersample": 1}
    return np.stack([march(baked, pose, **camera).rgb for pose in _poses(views, case)])


@torch.inference_mode()
def _generate(loaded: LoadedModel, views: ViewSet, case: Case) -> InrParams:
    """The INR that a model generates for the input view, on the model's device."""
    device = next(loaded.model.parameters()).device
    shown = views.framed[case.obj, case.source][None]
    return loaded.model.encode(to_pixels(shown, device=device))


def model_answer(loaded: LoadedModel) -> Answer:
    def answer(views: ViewSet, case: Case) -> np.ndarray:
        return render_inr(loaded.model.config.field, _generate(loaded, views, case), views, case)

    return answer


def refined_answer(loaded: LoadedModel, *, steps: int) -> Answer:
    """A model's INR after test-time optimisation on the input view.

    As for an upload, the camera of that view is estimated from the INR.
    """
    config = loaded.model.config.field

    def answer(views: ViewSet, case: Case) -> np.ndarray:
        params = _generate(loaded, views, case)
        device = params.weights[0].device
        rgba = views.rgba[case.obj, case.source].numpy()
        rgb = frame_input(rgba, size=views.size).astype(np.float32) / 255.0
        alpha = frame_alpha(rgba, size=views.size)
        baked = bake(as_field(config, params), resolution=GRID, device=device)
        camera = find_camera(baked, rgb, alpha)
        shown, opacity = (torch.from_numpy(part).to(device) for part in (rgb, alpha))
        *_, state = refine(
            config, params, shown, alpha=opacity, camera=camera, steps=steps,
            objective=RayLoss.recorded(loaded.facts),
        )  # fmt: skip
        return render_inr(config, state.params, views, case)

    return answer


def nearest_answer(nearest: NearestObject) -> Answer:
    def answer(views: ViewSet, case: Case) -> np.ndarray:
        shown = views.framed[case.obj, case.source]
        return over_white(nearest.render(shown, _poses(views, case)))

    return answer


def ceiling_answer(
    config: FieldConfig, *, steps: int, device: torch.device | str = "cpu"
) -> Answer:
    """The same INR architecture fitted to all views of the object but the targets."""

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
