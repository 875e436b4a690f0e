"""All that a GPU would run, on a stand-in for one: the CPU's own numbers come back."""

from functools import partial

import numpy as np
import pytest
import torch

from hyperdemo.backbones import build_vit
from hyperdemo.checkpoints import LoadedModel, load_checkpoint
from tests import gpu, tiny
from tests.train import scenes
from train import sweep
from train.config import ViewData
from train.experiments import Run
from train.loop import train
from train.package import package
from train.view import answers, evaluate, scores
from train.view.answers import ceiling_answer, choose_cases, model_answer, refined_answer
from train.view.baselines import NearestObject
from train.view.data import load_split
from train.view.evaluate import evaluate_split
from train.view.task import ViewTask

CPU = torch.device("cpu")


def on_both(compute):
    """What `compute` gives of a device: the CPU's result, and the stand-in's."""
    expected = compute(CPU)
    with gpu.stand_in() as device:
        return expected, compute(device)


def test_the_stand_in_refuses_what_a_gpu_would():
    with gpu.stand_in() as device:
        there = torch.arange(3.0, device=device)
        with pytest.raises(RuntimeError, match="same device"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError, match="numpy"):
            there.numpy()
        assert there.device == device and (there + 1).cpu().tolist() == [1, 2, 3]


@pytest.mark.parametrize("changes", [{}, {"precision": "bf16"}, {"compile": True}])
def test_training(views, tmp_path, monkeypatch, changes):
    monkeypatch.setattr(torch, "compile", lambda encode: encode)  # it cannot see the stand-in
    config = scenes.train_config(steps=2, eval_every=1, lr_heads=1e-2, **changes)

    def trained(device):
        out = tmp_path / device.type
        task = ViewTask(config, views, views, device=device)
        train(config, task, out=out, device=device, stop_at=1)
        state = train(config, task, out=out, device=device)
        return state.average.heads.tokens.cpu(), task.score(state.average)["val_psnr"]

    (tokens, psnr), (found, again) = on_both(trained)
    # Half precision is the CPU's alone; a first step of Adam follows the gradients' signs.
    torch.testing.assert_close(found, tokens, rtol=1e-3, atol=5e-3 if changes else 1e-5)
    assert again == pytest.approx(psnr, abs=0.05)


def loaded(device):
    return LoadedModel("view-x", tiny.model().to(device), {})


def encoder(device):
    torch.manual_seed(0)
    return build_vit(tiny.BACKBONE).eval().to(device)


def match(device):
    return lambda views, case: NearestObject(encoder(device), views, ()).find(views.framed[1, 3])


def grey(device):
    answer, own = np.full((4, 32, 32, 3), 0.5), encoder(device)
    return lambda views, case: list(evaluate.score(own, answer, views, case).values())


ANSWERS = {
    "model": lambda device: model_answer(loaded(device)),
    "refined": lambda device: refined_answer(loaded(device), steps=3),
    "ceiling": lambda device: ceiling_answer(tiny.FIELD, steps=3, device=device),
    "nearest": match,
    "score": grey,
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_answers_and_scores(views, monkeypatch, kind):
    monkeypatch.setattr(answers, "GRID", 32)
    case = choose_cases(views)[1]
    expected, found = on_both(lambda device: ANSWERS[kind](device)(views, case))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_sweep_trains_and_scores(tmp_path, monkeypatch):
    monkeypatch.setattr(scores, "build_vit", lambda *_, **__: encoder(CPU))
    folder, splits = map(str, scenes.write_dataset(tmp_path))
    data = ViewData(views_dir=folder, splits_file=splits, target_views=2, rays=8, samples=8)
    run = Run("tiny", {}, scenes.train_config(data=data, steps=2))

    score = partial(
        sweep.train_and_score, run, load=ViewTask.load, score=scores.score_view_model, limit=1
    )
    expected, found = on_both(lambda device: score(tmp_path / device.type, device=device))
    assert set(found["metrics"]) == {"test", "unseen"}
    views = load_split(data, "test", input_size=28)
    average = load_checkpoint(package(tmp_path / "cpu", tmp_path).parent, "view-scratch")
    compared = {"it": model_answer(average)}
    [(_, alone)] = evaluate_split(views, compared, encoder(CPU), few={})
    for metric in ("psnr", "ssim", "perceptual"):
        assert expected["metrics"]["test"][metric] == pytest.approx(alone[metric], rel=0.01)
    for split in ("test", "unseen"):
        psnr = expected["metrics"][split]["psnr"]
        assert found["metrics"][split]["psnr"] == pytest.approx(psnr, abs=0.05)
