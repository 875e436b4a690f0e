"""What several machines do, on two Ray nodes of this one, of which one is lost."""

import json
import os
import subprocess
import sys

import pytest

from hyperdemo.checkpoints import save_checkpoint
from tests import tiny
from tests.conftest import ROOT
from tests.pipeline.conftest import NAMES
from tests.train import scenes

pytest.importorskip("ray", reason="needs Ray: pip install -r requirements-ray.txt")

pytestmark = pytest.mark.timeout(900)  # two Rays, and the machine may be busy


def run(what, folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    subprocess.run(
        [sys.executable, "-m", "tests.two_nodes", what, str(folder)], cwd=ROOT, env=environment,
        check=True, timeout=840,
    )  # fmt: skip
    return json.loads((folder / "found.json").read_text())


def test_a_training_outlives_one_of_its_machines(tmp_path):
    found = run("train", tmp_path)
    assert len(found["tasks"]) == 2  # what is spread is worked on by both
    assert found["steps"] == 5 and len(found["workers"]) == 3  # two, and the one that came
    assert set(found["tasks"]) < set(found["workers"])
    assert [row["step"] for row in scenes.log_of(tmp_path)] == [1, 2, 3, 4, 5]


def test_visitors_do_not_notice_that_a_machine_of_replicas_is_lost(tmp_path):
    for seed, name in enumerate(NAMES):
        save_checkpoint(tiny.model(seed, init=name), tmp_path, name=f"view-{name}", facts={})
        save_checkpoint(tiny.sound_model(seed, init=name), tmp_path, name=f"sound-{name}", facts={})
    found = run("serve", tmp_path)
    assert found["wrong"] == [] and found["answers"] >= 80 > 10 * found["at_home"]
    assert found["again"] >= 1, "nobody was asking the replica that was lost"
