import dataclasses
import json
from functools import partial

import numpy as np
import pytest
import torch

from hyperdemo.backbones import build_vit
from hyperdemo.checkpoints import LoadedModel, save_checkpoint
from hyperdemo.config import CAMERA_DISTANCE
from hyperdemo.inr import as_field
from hyperdemo.metrics import psnr, ssim
from hyperdemo.model import to_pixels
from hyperdemo.preprocess.frame import DEFAULT_FILL, alpha_bounds
from hyperdemo.refine import InputCamera
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.quadrature import render_view
from tests import tiny
from tests.train import scenes
from train.view import evaluate
from train.view.baselines import over_white
from train.view.evaluate import (
    N_TARGETS,
    Case,
    Scorer,
    add_result,
    ceiling_answer,
    choose_cases,
    constant_answer,
    evaluate_split,
    model_answer,
    nearest_answer,
    refined_answer,
    summarise,
    trained_on,
)


@pytest.fixture(scope="module", autouse=True)
def small_grids():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "bake", partial(bake, resolution=64))
        yield


@pytest.fixture(scope="module")
def views():
    return scenes.views_of(n_views=12)


@pytest.fixture(scope="module")
def scorer():
    torch.manual_seed(0)
    return Scorer(build_vit(tiny.BACKBONE).eval())


def truth(views, case):
    rgba = views.rgba[case.obj, list(case.targets)].numpy() / 255.0
    return rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]


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
    directions = scenes.angles(12, 31.0)
    for picture, view in zip(answer, case.targets, strict=True):
        azimuth, elevation = directions[view] - [directions[4, 0], 0.0]
        pose = torch.from_numpy(look_at_origin(float(azimuth), float(elevation)))
        seen = render_view(as_field(tiny.FIELD, params), pose, fov_deg=40.0, size=32)
        assert psnr(picture, seen.rgb.numpy()) > 33


def test_constant_answers(views):
    case = Case(0, 0, (1, 2))
    assert (constant_answer(1.0)(views, case) == np.ones((2, 32, 32, 3), np.float32)).all()
    picture = np.random.default_rng(0).random((32, 32, 3))
    shown = constant_answer(picture)(views, case)
    np.testing.assert_allclose(shown[1], picture, atol=1e-6)


def test_the_nearest_object_is_asked_from_the_input_s_world(views):
    class Nearest:
        def render(self, framed, poses):
            self.framed, self.poses = framed, poses
            return np.full((len(poses), 32, 32, 4), [255, 0, 0, 51], np.uint8)

    nearest, case = Nearest(), Case(2, 3, (3, 5))
    shown = nearest_answer(nearest)(views, case)
    assert torch.equal(nearest.framed, views.framed[2, 3])
    elevation = float(scenes.angles(12, 62.0)[3, 1])
    np.testing.assert_allclose(nearest.poses[0], look_at_origin(0.0, elevation), atol=1e-5)
    np.testing.assert_allclose(shown[0, 0, 0], [1.0, 0.8, 0.8], atol=1e-6)


def test_the_ceiling_never_sees_its_targets(views, monkeypatch):
    given = {}

    def fit(config, rgba, poses, *, fov_deg, steps, device):
        given.update(rgba=rgba, poses=poses, steps=steps)
        return tiny.params()

    monkeypatch.setattr(evaluate, "fit_inr", fit)
    case = choose_cases(views)[1]
    ceiling_answer(tiny.FIELD, steps=7)(views, case)
    kept = [v for v in range(12) if v not in case.targets]
    assert len(kept) == 12 - N_TARGETS and case.source in kept and given["steps"] == 7
    assert torch.equal(given["rgba"], views.rgba[1, kept])
    directions = scenes.angles(12, 31.0)
    for pose, view in zip(given["poses"], kept, strict=True):
        azimuth, elevation = directions[view] - [directions[case.source, 0], 0.0]
        expected = look_at_origin(float(azimuth), float(elevation))
        np.testing.assert_allclose(pose, expected, atol=1e-5)


def test_scores_are_the_metrics_themselves(views, scorer):
    case = Case(0, 0, (1, 2, 3))
    expected = truth(views, case)
    answer = np.clip(expected + 0.1 * np.random.default_rng(1).random(expected.shape), 0, 1)
    scores = scorer.score(answer, views, case)
    pairs = list(zip(answer, expected, strict=True))
    assert scores["psnr"] == pytest.approx(np.mean([psnr(a, t) for a, t in pairs]), abs=1e-4)
    assert scores["ssim"] == pytest.approx(np.mean([ssim(a, t) for a, t in pairs]), abs=1e-5)
    assert 0 < scores["perceptual"] < 2
    exact = scorer.score(over_white(views.rgba[0, [1, 2, 3]].numpy()), views, case)
    assert exact["psnr"] == np.inf and exact["ssim"] == pytest.approx(1)
    assert exact["perceptual"] == pytest.approx(0, abs=1e-6)


def test_the_perceptual_distance_leaves_out_the_class_token(views, scorer):
    case = Case(0, 0, (1,))
    white = np.ones((1, 32, 32, 3))
    small = torch.nn.functional.interpolate(
        torch.from_numpy(truth(views, case)).float().permute(0, 3, 1, 2),
        size=(28, 28), mode="bilinear", antialias=True,
    )  # fmt: skip
    vit = scorer.encoder
    with torch.no_grad():
        a, b = (
            vit.vit.forward_features((pixels - vit.mean) / vit.std)[0, 1:].numpy()
            for pixels in (torch.ones(1, 3, 28, 28), small)
        )
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    found = scorer.score(white, views, case)["perceptual"]
    assert found == pytest.approx(1 - cosine.mean(), abs=1e-5) and found > 1e-3


def test_a_summary_by_hand():
    rows = [{"psnr": p, "ssim": p / 10, "perceptual": 1.0} for p in (10.0, 14.0, 18.0)]
    summary = summarise(rows)
    assert summary["psnr"] == 14.0 and summary["ssim"] == pytest.approx(1.4)
    assert summary["psnr_stderr"] == pytest.approx(4 / np.sqrt(3))  # σ = 4 with n − 1
    assert summary["objects"] == 3
    assert summarise(rows[:1])["psnr_stderr"] is None


def test_a_split_is_scored_answer_by_answer(views, scorer):
    answers = {"white": constant_answer(1.0), "grey": constant_answer(0.5)}
    results = dict(evaluate_split(views, answers, scorer, few={"grey": 2}))
    assert list(results) == ["white", "grey"]
    white, grey = results["white"], results["grey"]
    assert [row["object"] for row in white["rows"]] == ["ball-0", "ball-1", "ball-2"]
    assert [row["class"] for row in white["rows"]] == ["a", "b", "a"]
    assert white["objects"] == 3 and grey["objects"] == 2
    cases = choose_cases(views)
    expected = [np.mean([psnr(np.ones_like(t), t) for t in truth(views, case)]) for case in cases]
    assert [row["psnr"] for row in white["rows"]] == pytest.approx(expected, abs=1e-3)
    assert white["psnr"] == pytest.approx(np.mean(expected), abs=1e-3)
    assert white["seconds_per_object"] >= 0


def test_the_command_writes_results_and_adds_to_them(tmp_path, monkeypatch, capsys):
    folder, splits = scenes.write_dataset(tmp_path, n_views=16)
    for seed, init in enumerate(("foundation", "scratch")):
        model = tiny.model(seed, init=init)
        save_checkpoint(model, tmp_path / "weights", name=f"view-{init}", facts={"git": init})
    monkeypatch.setattr(
        evaluate, "build_vit", lambda config, *, pretrained: build_vit(tiny.BACKBONE)
    )
    argv = ["train.view.evaluate", "--weights", str(tmp_path / "weights"), "--views", str(folder)]
    argv += ["--splits", str(splits), "--answers"]
    out = tmp_path / "weights" / "results.json"
    monkeypatch.setattr("sys.argv", [*argv, "white", "mean"])
    evaluate.main()
    before = json.loads(out.read_text())
    assert set(before["view"]["splits"]) == {"test", "unseen"}
    assert list(before["view"]["splits"]["test"]) == ["white", "mean"]
    monkeypatch.setattr("sys.argv", [*argv, "scratch"])
    evaluate.main()
    results = json.loads(out.read_text())
    assert list(results["view"]["splits"]["unseen"]) == ["white", "mean", "scratch"]
    assert results["view"]["splits"]["test"]["white"] == before["view"]["splits"]["test"]["white"]
    assert results["view"]["models"]["scratch"]["git"] == "scratch"
    assert results["view"]["splits"]["test"]["scratch"]["rows"][0]["object"] == "ball-2"
    assert "test scratch" in capsys.readouterr().out


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
    monkeypatch.setattr(evaluate, "find_camera", lambda *_: camera_of(views, case))
    # Asked for the very view that was shown, the fit must come closer to it.
    shown = dataclasses.replace(case, targets=(case.source,))
    true = truth(views, shown)[0]
    plain, refined = (
        psnr(answer(views, shown)[0], true)
        for answer in (model_answer(loaded), refined_answer(loaded, steps=60))
    )
    assert refined > plain + 2.0


def test_results_of_several_processes_stand_in_one_order_and_of_one_split_file(tmp_path):
    out, told = tmp_path / "results.json", {"splits_file": "a.json", "facts": {"scratch": {}}}
    for name in ("ceiling", "foundation", "white"):
        add_result(out, "test", name, {"psnr": 1.0}, **told)
    results = json.loads(out.read_text())
    assert list(results["view"]["splits"]["test"]) == ["white", "foundation", "ceiling"]
    add_result(out, "unseen", "mean", {"psnr": 2.0}, **told | {"splits_file": "b.json"})
    found = json.loads(out.read_text())["view"]
    assert found["splits"] == {"unseen": {"mean": {"psnr": 2.0}}}
    assert found["splits_file"] == "b.json" and found["models"] == {"scratch": {}}


def test_models_must_share_their_splits():
    def loaded(path):
        return LoadedModel("m", tiny.model(), {"training": {"data": {"splits_file": path}}})

    assert trained_on({"a": loaded("x.json"), "b": loaded("x.json")}) == "x.json"
    with pytest.raises(ValueError, match="share their splits expected, got .*x.json.*y.json"):
        trained_on({"a": loaded("x.json"), "b": loaded("y.json")})
