import numpy as np
import pytest

from hyperdemo.backbones import build_vit
from hyperdemo.checkpoints import LoadedModel
from tests import tiny
from tests.train import scenes
from train.config import ViewData
from train.view import scores
from train.view.answers import model_answer
from train.view.data import load_split
from train.view.evaluate import Scorer, evaluate_split
from train.view.scores import score_view_model, view_yardsticks


def test_a_model_is_scored_on_both_splits(tmp_path, monkeypatch):
    views, splits = scenes.write_dataset(tmp_path)
    loaded = LoadedModel("view-x", tiny.model(), {})
    scorer = build_vit(tiny.BACKBONE).eval()
    asked = []
    monkeypatch.setattr(
        scores, "build_vit", lambda config, *, pretrained: asked.append(config) or scorer
    )
    data = ViewData(views_dir=str(views), splits_file=str(splits))
    found = score_view_model(loaded, data_config=data, limit=5)
    assert asked[0].image_size == 28 and set(found) == {"test", "unseen"}
    alone = load_split(data, "test", input_size=28)
    [(_, expected)] = evaluate_split(alone, {"x": model_answer(loaded)}, Scorer(scorer), few={})
    assert "rows" not in found["test"] and found["test"]["objects"] == 1
    for metric in ("psnr", "ssim", "perceptual"):
        assert found["test"][metric] == pytest.approx(expected[metric], abs=1e-6)


def rows(values):
    return {
        "rows": [
            {"object": name, "psnr": value, "ssim": 0.5, "perceptual": 0.1}
            for name, value in values.items()
        ]
    }


def test_yardsticks_are_of_the_objects_that_runs_are_scored_on():
    white = {f"o{k}": float(k) for k in range(8)}
    results = {
        "splits_file": "these.json",
        "splits": {
            "test": {
                "white": rows(white),
                "ceiling": rows({"o1": 20.0, "o7": 22.0}),
                "foundation": rows(white),
            },
            "unseen": {"white": rows({"u0": 5.0})},
        },
    }
    found = view_yardsticks({"view": results}, splits_file="these.json", limit=4)
    assert set(found) == {"white", "ceiling"}
    assert found["white"]["test"]["psnr"] == np.mean([0, 2, 4, 6])
    assert found["white"]["test"]["objects"] == 4
    assert found["white"]["unseen"]["psnr"] == 5.0
    assert found["ceiling"] == {"test": found["ceiling"]["test"]}
    assert found["ceiling"]["test"]["psnr"] == 21.0 and found["ceiling"]["test"]["objects"] == 2
    assert view_yardsticks({}, splits_file="these.json", limit=4) == {}
    assert view_yardsticks({"view": results}, splits_file="others.json", limit=4) == {}
