import json

import numpy as np
import pytest
import torch

from hyperdemo.backbones import build_vit
from hyperdemo.checkpoints import LoadedModel, save_checkpoint
from hyperdemo.metrics import psnr, ssim
from tests import tiny
from tests.train import scenes
from train.view import evaluate
from train.view.answers import Case, choose_cases, constant_answer
from train.view.baselines import over_white
from train.view.evaluate import add_result, evaluate_split, score, summarise, trained_on


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return build_vit(tiny.BACKBONE).eval()


def truth(views, case):
    return scenes.on_white(views.rgba[case.obj, list(case.targets)])


def test_scores_are_the_metrics_themselves(views, encoder):
    case = Case(0, 0, (1, 2, 3))
    expected = truth(views, case)
    answer = np.clip(expected + 0.1 * np.random.default_rng(1).random(expected.shape), 0, 1)
    scores = score(encoder, answer, views, case)
    pairs = list(zip(answer, expected, strict=True))
    assert scores["psnr"] == pytest.approx(np.mean([psnr(a, t) for a, t in pairs]), abs=1e-4)
    assert scores["ssim"] == pytest.approx(np.mean([ssim(a, t) for a, t in pairs]), abs=1e-5)
    assert 0 < scores["perceptual"] < 2
    exact = score(encoder, over_white(views.rgba[0, [1, 2, 3]].numpy()), views, case)
    assert exact["psnr"] == np.inf and exact["ssim"] == pytest.approx(1)
    assert exact["perceptual"] == pytest.approx(0, abs=1e-6)


def test_the_perceptual_distance_leaves_out_the_class_token(views, encoder):
    case = Case(0, 0, (1,))
    white = np.ones((1, 32, 32, 3))
    small = torch.nn.functional.interpolate(
        torch.from_numpy(truth(views, case)).float().permute(0, 3, 1, 2),
        size=(28, 28), mode="bilinear", antialias=True,
    )  # fmt: skip
    with torch.no_grad():
        a, b = (
            encoder.vit.forward_features((pixels - encoder.mean) / encoder.std)[0, 1:].numpy()
            for pixels in (torch.ones(1, 3, 28, 28), small)
        )
    cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
    found = score(encoder, white, views, case)["perceptual"]
    assert found == pytest.approx(1 - cosine.mean(), abs=1e-5) and found > 1e-3


def test_a_summary_by_hand():
    rows = [{"psnr": p, "ssim": p / 10, "perceptual": 1.0} for p in (10.0, 14.0, 18.0)]
    summary = summarise(rows)
    assert summary["psnr"] == 14.0 and summary["ssim"] == pytest.approx(1.4)
    assert summary["psnr_stderr"] == pytest.approx(4 / np.sqrt(3))  # σ = 4 with n − 1
    assert summary["objects"] == 3
    assert summarise(rows[:1])["psnr_stderr"] is None


def test_a_split_is_scored_answer_by_answer(views, encoder):
    answers = {"white": constant_answer(1.0), "grey": constant_answer(0.5)}
    results = dict(evaluate_split(views, answers, encoder, few={"grey": 2}))
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


@pytest.fixture
def command(tmp_path, monkeypatch):
    """The command on tiny models and balls, by what is added to it; gives the "view" results."""
    folder, splits = scenes.write_dataset(tmp_path, n_views=16)
    for seed, init in enumerate(("foundation", "scratch")):
        data = {"views_dir": str(folder), "splits_file": str(splits)}
        facts = {"git": init, "training": {"data": data}}
        model = tiny.model(seed, init=init)
        save_checkpoint(model, tmp_path / "weights", name=f"view-{init}", facts=facts)
    monkeypatch.setattr(evaluate, "build_vit", lambda *_, **__: build_vit(tiny.BACKBONE))

    def run(*more):
        evaluate.main(["--weights", str(tmp_path / "weights"), "--device", "cpu", *more])
        return json.loads((tmp_path / "weights" / "results.json").read_text())["view"]

    run.splits = splits
    return run


def test_the_command_writes_results_and_adds_to_them(command, capsys):
    before = command("--answers", "white", "mean")
    assert set(before["splits"]) == {"test", "unseen"} and before["models"] == {}
    assert list(before["splits"]["test"]) == ["white", "mean"] and "paired" not in before
    command("--answers", "foundation", "--models", "foundation")
    found = command("--answers", "scratch", "--models", "scratch")
    assert list(found["splits"]["unseen"]) == ["white", "mean", "scratch", "foundation"]
    assert found["splits"]["test"]["white"] == before["splits"]["test"]["white"]
    assert {name: facts["git"] for name, facts in found["models"].items()} == {
        "foundation": "foundation", "scratch": "scratch",
    }  # fmt: skip
    ours, theirs = (found["splits"]["test"][name] for name in ("foundation", "scratch"))
    assert ours["rows"][0]["object"] == "ball-2"
    for metric, paired in found["paired"]["test"].items():
        gain = ours[metric] - theirs[metric]
        assert paired["mean"] == pytest.approx(gain) and paired["objects"] == 1
        assert paired["better"] == ((gain < 0) if metric == "perceptual" else (gain > 0))
    # Balls of two colours: the true views of each are nearest to its own other views.
    assert found["truth_named"]["test"] == {"named": 1.0, "named_class": 1.0, "objects": 1}
    named = [row["named"] for row in ours["rows"]]
    assert ours["named"] == pytest.approx(np.mean(named)) and set(named) <= {0, 0.25, 0.5, 0.75, 1}
    assert "test scratch" in capsys.readouterr().out


def test_mistyped_answers_are_named(command, capsys):
    with pytest.raises(SystemExit):
        command("--answers", "whit", "mean")
    assert "no answer whit; there are white, mean, nearest, scratch" in capsys.readouterr().err


def test_scores_on_other_splits_are_not_dropped(command, tmp_path):
    before = command("--answers", "white")
    other = tmp_path / "other.json"
    other.write_text(command.splits.read_text())
    with pytest.raises(ValueError, match="give another --out"):
        command("--answers", "white", "--splits", str(other))
    with pytest.raises(ValueError, match="give another --out"):  # a process beside this one
        add_result(
            tmp_path / "weights" / "results.json", "test", "white", {}, splits_file="x", facts={}
        )
    assert command("--answers", "white")["splits_file"] == before["splits_file"]
    command("--answers", "mean", "--splits", str(other), "--out", str(tmp_path / "other" / "r"))


def test_models_must_share_their_splits():
    def loaded(path):
        return LoadedModel("m", tiny.model(), {"training": {"data": {"splits_file": path}}})

    assert trained_on({"a": loaded("x.json"), "b": loaded("x.json")}).splits_file == "x.json"
    with pytest.raises(ValueError, match="share their splits expected, got .*x.json.*y.json"):
        trained_on({"a": loaded("x.json"), "b": loaded("y.json")})
