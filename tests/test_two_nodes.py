"""What visitors notice of two Ray nodes of this machine, of which one is lost."""

import json
import os
import subprocess
import sys

import pytest

from hyperdemo.checkpoints import save_checkpoint
from tests import tiny
from tests.conftest import ROOT
from tests.pipeline.conftest import NAMES

pytest.importorskip("ray", reason="needs Ray: pip install -r requirements-ray.txt")

pytestmark = pytest.mark.timeout(900)  # two Rays, and the machine may be busy


def run(folder):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    environment.pop("RAY_ADDRESS", None)
    subprocess.run(
        [sys.executable, "-m", "tests.two_nodes", str(folder)], cwd=ROOT, env=environment,
        check=True, timeout=840,
    )  # fmt: skip
    return json.loads((folder / "found.json").read_text())


def test_visitors_do_not_notice_that_a_machine_of_replicas_is_lost(tmp_path):
    for seed, name in enumerate(NAMES):
        save_checkpoint(tiny.model(seed, init=name), tmp_path, name=f"view-{name}", facts={})
        save_checkpoint(tiny.sound_model(seed, init=name), tmp_path, name=f"sound-{name}", facts={})
    found = run(tmp_path)
    assert found["wrong"] == [] and found["answers"] >= 80 > 10 * found["at_home"]
    assert found["again"] >= 1, "nobody was asking the replica that was lost"
