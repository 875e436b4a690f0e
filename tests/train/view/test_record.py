import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import ViewRequest
from hyperdemo.events import Views
from hyperdemo.examples import read_held_out
from hyperdemo.metrics.image import psnr
from hyperdemo.pipeline import ViewPipeline
from tests import tiny
from tests.train import scenes
from tests.ui.conftest import write_object
from train.loop import train
from train.view.record import FOLDER, SCORES, SIDE, VIEWS, Recorder, recorded_steps, shown_objects

CPU = torch.device("cpu")


@pytest.fixture
def objects(rgba, tmp_path):
    return [
        read_held_out(write_object(tmp_path / name, rgba, n_views=4)) for name in ("one", "other")
    ]


def test_the_first_and_the_last_step_are_recorded_and_most_of_the_early_ones():
    steps = sorted(recorded_steps(3000))
    assert len(steps) == 20 and steps[0] == 0 and steps[-1] == 3000
    assert sum(step < 750 for step in steps) == 10
    assert sorted(recorded_steps(4)) == [0, 1, 2, 3, 4]


def test_the_pictures_are_what_the_exact_renderer_draws(objects, tmp_path):
    model = tiny.model()
    record = Recorder(objects, tmp_path, steps=frozenset({5}))
    record(4, model)
    assert not list(record.out.iterdir())
    record(5, model)
    strip = np.asarray(Image.open(record.out / "000005.png"))
    assert strip.shape == (len(VIEWS) * SIDE, 2 * SIDE, 3)
    pipeline = ViewPipeline({"x": LoadedModel("view-x", model, {})}, device=CPU)
    prepared = pipeline.prepare(np.asarray(Image.open(objects[0].picture).convert("RGBA")))
    request = ViewRequest(size=64, n_frames=2, renderer="exact", pose_size=SIDE)
    events = pipeline.view(prepared, request, poses=objects[0].views)
    drawn = np.concatenate([e.rgb for e in events if isinstance(e, Views)])[list(VIEWS)]
    assert psnr(strip[:, :SIDE], np.concatenate(drawn)) > 30  # other numbers of samples
    row = json.loads((record.out / SCORES).read_text())
    true = Image.fromarray(objects[0].truth[VIEWS[-1]]).resize((SIDE, SIDE), Image.Resampling.BOX)
    assert row["step"] == 5 and len(row["psnr"]) == 2
    assert row["psnr"][0] == pytest.approx(psnr(strip[SIDE:, :SIDE], np.asarray(true)), abs=1e-3)


def test_a_recorded_training_is_the_same_training(objects, tmp_path):
    views = scenes.views_of()
    config = scenes.train_config(steps=4)
    plain = train(config, scenes.task_of(config, views), out=tmp_path / "plain", device=CPU)
    record = Recorder(objects, tmp_path / "watched", steps=recorded_steps(4))
    task = scenes.task_of(config, views)
    train(config, task, out=tmp_path / "watched", device=CPU, stop_at=2, watch=record)
    watched = train(config, task, out=tmp_path / "watched", device=CPU, watch=record)
    for a, b in zip(plain.model.parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(a, b)
    rows = map(json.loads, (tmp_path / "watched" / FOLDER / SCORES).read_text().splitlines())
    assert [row["step"] for row in rows] == [0, 1, 2, 3, 4]


def test_the_objects_that_are_shown_are_examples():
    assert len(shown_objects(Path("examples/objects"))) == 8
