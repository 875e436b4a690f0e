import dataclasses

import numpy as np
import torch

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import CAMERA_DISTANCE
from hyperdemo.inr import as_field
from hyperdemo.metrics import psnr
from hyperdemo.model import to_pixels
from hyperdemo.preprocess.frame import DEFAULT_FILL, alpha_bounds
from hyperdemo.refine import InputCamera
from hyperdemo.render.quadrature import render_view
from tests import tiny
from tests.train import scenes
from train.view import answers
from train.view.answers import N_TARGETS, Case, choose_cases, model_answer
from train.view.baselines import over_white


def test_every_object_has_one_case_and_none_shows_its_input(views):
    cases = choose_cases(views)
    assert [case.obj for case in cases] == [0, 1, 2]
    for case in cases:
        assert len(set(case.targets)) == N_TARGETS and case.source not in case.targets
        assert set(case.targets) <= set(range(12))
    assert choose_cases(views) == cases != choose_cases(views, seed=1)
    assert len({case.source for case in cases}) > 1


def test_a_model_s_answer_is_what_the_exact_renderer_shows(views):
    loaded = LoadedModel("view-x", tiny.model(), {})
    case = Case(1, 4, (0, 9))
    answer = model_answer(loaded)(views, case)
    assert answer.shape == (2, 32, 32, 3)
    with torch.no_grad():
        params = loaded.model.encode(to_pixels(views.framed[1, 4][None]))
    for picture, view in zip(answer, case.targets, strict=True):
        pose = torch.from_numpy(scenes.pose_from(1, 4, view, n_views=12))
        seen = render_view(as_field(tiny.FIELD, params), pose, fov_deg=40.0, size=32)
        assert psnr(picture, seen.rgb.numpy()) > 40


def test_the_nearest_object_is_asked_from_the_input_s_world(views):
    class Nearest:
        def render(self, framed, poses):
            self.framed, self.poses = framed, poses
            return np.full((len(poses), 32, 32, 4), [255, 0, 0, 51], np.uint8)

    nearest, case = Nearest(), Case(2, 3, (3, 5))
    shown = answers.nearest_answer(nearest)(views, case)
    assert torch.equal(nearest.framed, views.framed[2, 3])
    expected = scenes.pose_from(2, 3, 3, n_views=12)
    np.testing.assert_allclose(nearest.poses[0], expected, atol=1e-5)
    np.testing.assert_allclose(shown[0, 0, 0], [1.0, 0.8, 0.8], atol=1e-6)


def test_the_ceiling_never_sees_its_targets(views, monkeypatch):
    given = {}

    def fit(config, rgba, poses, **settings):
        given.update(rgba=rgba, poses=poses, **settings)
        return tiny.params()

    monkeypatch.setattr(answers, "fit_inr", fit)
    case = choose_cases(views)[1]
    answers.ceiling_answer(tiny.FIELD, steps=7)(views, case)
    kept = [v for v in range(12) if v not in case.targets]
    assert len(kept) == 12 - N_TARGETS and case.source in kept and given["steps"] == 7
    assert torch.equal(given["rgba"], views.rgba[1, kept])
    for pose, view in zip(given["poses"], kept, strict=True):
        expected = scenes.pose_from(1, case.source, view, n_views=12)
        np.testing.assert_allclose(pose, expected, atol=1e-5)


def camera_of(views, case):
    """The true camera of the framed input of a case."""
    rgba = views.rgba[case.obj, case.source].numpy()
    top, bottom, left, right = (edge / views.size for edge in alpha_bounds(rgba))
    reach = np.tan(np.radians(views.fov_deg) / 2)
    centre = reach * (left + right - 1), reach * (1 - top - bottom)
    half = reach * max(right - left, bottom - top) / DEFAULT_FILL
    height = float(views.poses[case.obj, case.source, 1, 3]) / CAMERA_DISTANCE
    return InputCamera(float(np.degrees(np.arcsin(height))), centre, half)


def test_a_refined_answer_is_nearer_to_what_was_shown(views, monkeypatch):
    loaded = LoadedModel("tiny", tiny.model(3).eval(), {})
    case = choose_cases(views)[0]
    monkeypatch.setattr(answers, "find_camera", lambda *_: camera_of(views, case))
    # Asked for the very view that was shown, the fit must come closer to it.
    shown = dataclasses.replace(case, targets=(case.source,))
    true = over_white(views.rgba[case.obj, case.source].numpy())
    refined = answers.refined_answer(loaded, steps=60)(views, shown)[0]
    assert psnr(refined, true) > psnr(model_answer(loaded)(views, shown)[0], true) + 2.0
