import json

import numpy as np
import pytest
import torch
from PIL import Image

from hyperdemo.examples import read_held_out
from hyperdemo.metrics.image import psnr
from hyperdemo.results.learning import find_recorded
from tests.train import scenes
from tests.ui.conftest import write_object
from train.loop import run_facts, train
from train.view.learning import make_learning
from train.view.record import FOLDER, SIDE, Recorder, recorded_steps

CPU = torch.device("cpu")


@pytest.fixture
def objects(rgba, tmp_path):
    folders = [
        write_object(tmp_path / name, picture, n_views=4)
        for name, picture in (("one", rgba), ("other", np.rot90(rgba)))
    ]
    return [read_held_out(folder) for folder in folders]


@pytest.fixture
def runs(objects, tmp_path):
    folders = {}
    for seed, arm in enumerate(("foundation", "scratch")):
        out = tmp_path / arm
        config = scenes.train_config(steps=3, seed=seed, eval_every=2)
        task = scenes.task_of(config, scenes.views_of())
        record = Recorder(objects, out, steps=recorded_steps(3))
        facts = run_facts(config, task, device=CPU, command="")
        train(config, task, out=out, device=CPU, facts=facts, watch=record)
        folders[arm] = out
    return folders


def test_two_recorded_runs_become_what_the_page_shows(runs, objects, tmp_path):
    make_learning(runs, objects, tmp_path / "weights" / "learning")
    recorded = find_recorded(tmp_path / "weights")
    assert recorded.steps == (0, 1, 2, 3) and recorded.objects == ("A brown box",) * 2
    assert recorded.train_objects == 3
    for arm, run in runs.items():
        lines = (run / FOLDER / "scores.jsonl").read_text().splitlines()
        assert recorded.arms[arm].psnr == tuple(tuple(json.loads(x)["psnr"]) for x in lines)
        assert [step for step, _ in recorded.arms[arm].validation] == [2, 3]
        strip = np.asarray(Image.open(recorded.picture(arm)))
        last = np.asarray(Image.open(run / FOLDER / "000003.png"))
        assert psnr(strip[-2 * SIDE :], last) > 25  # WebP
    truth = np.asarray(Image.open(recorded.picture("truth"))).reshape(3, SIDE, 2, SIDE, 3)
    seen = np.asarray(Image.fromarray(objects[1].truth[3]).resize((SIDE, SIDE), Image.BOX))
    assert psnr(np.ascontiguousarray(truth[2, :, 1]), seen) > 25


def test_a_run_that_is_not_over_is_refused(runs, objects, tmp_path):
    path = runs["scratch"] / FOLDER / "scores.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="scratch is not recorded to its end"):
        make_learning(runs, objects, tmp_path / "learning")
