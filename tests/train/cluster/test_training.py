import functools
import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import ray
import torch

from hyperdemo.inr import InrParams
from hyperdemo.learn.batches import draw_batch
from hyperdemo.model import to_pixels
from hyperdemo.render.quadrature import Rendering
from hyperdemo.render.rays import RayLoss, render_rays
from tests.conftest import RAY_ROOM
from tests.serve.crowd import wait_until
from tests.train import scenes
from tests.train.test_state import assert_equal_states
from train.cluster.runtime import spread
from train.cluster.team import Team
from train.cluster.training import fingerprint, train_together
from train.loop import new_model, train
from train.run import main
from train.state import TrainState
from train.view.task import ViewTask

pytestmark = pytest.mark.timeout(600)  # many processes import torch, and the machine may be busy
CPU = torch.device("cpu")
LONG = dict(batch=4, lr_heads=1e-2, eval_every=1, save_minutes=0.0, clip=100.0)


class Mortal(ViewTask):
    """In its third step the second worker is gone, the first time. After that, whoever is on the
    node to be lost waits for that in the second step of its own. The first worker keeps a state.
    """

    def __init__(self, *args, folder, lost_node, **kwargs):
        super().__init__(*args, **kwargs)
        self.folder, self.calls = folder, 0
        self.node = ray.get_runtime_context().get_node_id()
        self.lost = self.node == lost_node

    def loss(self, model, *, generator):
        self.calls += 1
        (self.folder / f"node {self.node}").touch()
        kept, dead = self.folder / "second.pt", self.folder / "dead"
        if Team.here().leads and self.calls == 2 and not kept.exists():
            shutil.copy(self.folder / "state.pt", kept)
        if dead.exists() and self.lost and self.calls == 2:
            (self.folder / "waits").touch()
            time.sleep(1e6)
        elif not Team.here().leads and self.calls == 3 and not dead.exists():
            dead.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(model, generator=generator)


class LoadMortal:
    """What every worker calls to read its data, in its own process."""

    def __init__(self, folder, lost_node):
        self.folder, self.lost_node = folder, lost_node

    def __call__(self, config, *, device):
        views = scenes.views_of()
        return Mortal(
            config, views, views, device=device, folder=self.folder, lost_node=self.lost_node
        )


class Idle:
    """Occupies a core."""


def here(_, folder):
    """The node that this process belongs to, once there are processes of two."""
    node = ray.get_runtime_context().get_node_id()
    (folder / f"task {node}").touch()
    wait_until(lambda: len(list(folder.glob("task *"))) == 2)
    return node


class WholeBatch(ViewTask):
    """What two workers draw, encoded and scored as one batch in one process."""

    step = 1

    def loss(self, model, *, generator):
        halves, generators = [], [torch.Generator() for _ in range(2)]
        for rank, own in enumerate(generators):
            Team(rank, 2).seed(own, seed=self.config.seed, step=self.step)
            halves.append(draw_batch(self.train_views, self.data, objects=2, generator=own))
        self.step += 1
        params = model.encode(to_pixels(torch.cat([half.framed for half in halves]), device=CPU))
        parts = [
            render_rays(
                self.config.model.field, InrParams(
                    tuple(w[2 * k : 2 * k + 2] for w in params.weights),
                    tuple(b[2 * k : 2 * k + 2] for b in params.biases),
                ), half.origins,
                directions=half.directions, samples=self.data.samples, generator=generators[k],
            )
            for k, half in enumerate(halves)
        ]  # fmt: skip
        whole = Rendering(
            *(torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0]))
        )
        loss, _ = RayLoss(self.data.alpha_weight, self.data.absolute_weight)(
            whole, torch.cat([h.rgba for h in halves])
        )
        return loss, {}


def first_moments(path):
    """Of every parameter, of both optimisers, in their order."""
    members = torch.load(path, weights_only=True)["optimizer"]
    entries = [entry for member in members for entry in member["state"].values()]
    assert len(members) == 2 and len(entries) > 10
    return [entry.get("exp_avg", entry.get("momentum_buffer")) for entry in entries]


@pytest.fixture(scope="module")
def nodes(ray_runtime):
    """Two with a free core each: the cluster, and the second of them, which may be lost."""
    idle = ray.remote(num_cpus=1)(Idle).remote()
    ray.get(idle.__ray_ready__.remote())  # on the first node, as long as there is no other
    yield ray_runtime, ray_runtime.add_node(num_cpus=1, **RAY_ROOM)
    for node in list(ray_runtime.worker_nodes):
        ray_runtime.remove_node(node)
    ray.kill(idle)


@pytest.fixture(scope="module")
def folders(nodes, tmp_path_factory):
    """A step alone, then four by two workers, one on each node, of whom one is killed, and whose
    second node is lost later, and another comes; and the same steps in one process.
    """
    together, alone = (tmp_path_factory.mktemp(name) for name in ("together", "alone"))
    config, views = scenes.train_config(steps=5, **LONG), scenes.views_of()
    train(config, scenes.task_of(config, views), out=together, device=CPU, stop_at=1)
    shutil.copy(together / "state.pt", together / "first.pt")
    shutil.copytree(together, alone, dirs_exist_ok=True)
    cluster, second = nodes
    tasks = dict(spread(functools.partial(here, folder=together), range(4)))
    (together / "tasks.json").write_text(json.dumps(list(tasks.values())))
    load = LoadMortal(together, second.node_id)
    with ThreadPoolExecutor(1) as thread:
        training = thread.submit(
            train_together, config, load, out=together, device=CPU, workers=2, command=""
        )
        wait_until(lambda: (together / "waits").exists() or training.done())
        cluster.remove_node(second, allow_graceful=False)
        cluster.add_node(num_cpus=1, **RAY_ROOM)
        assert training.result()[0] == 5
    whole = WholeBatch(config, views, views, device=CPU)
    train(config, whole, out=alone, device=CPU, stop_at=2)
    shutil.copy(alone / "state.pt", alone / "second.pt")
    train(config, whole, out=alone, device=CPU)
    return together, alone


def test_on_two_nodes_both_work_and_another_replaces_the_lost_one(folders):
    found = set(json.loads((folders[0] / "tasks.json").read_text()))
    workers = {path.name.split()[1] for path in folders[0].glob("node *")}
    assert len(found) == 2  # what is spread is worked on by both
    assert (folders[0] / "waits").exists()  # so the second node was lost in mid-run
    assert len(workers) == 3 and found < workers  # two, and the one that came


def test_two_halves_of_a_batch_have_the_gradient_of_the_whole(folders):
    together, alone = folders
    compared = [first_moments(path / "second.pt") for path in folders]
    before = first_moments(together / "first.pt")
    for ours, theirs, old in zip(*compared, before, strict=True):
        # Of the first step's moment nine tenths are left, or 95 %; both sides had the same.
        assert not torch.equal(ours, old)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_killed_worker_and_a_lost_node_cost_nothing_but_time(folders):
    together, alone = map(scenes.log_of, folders)
    assert (folders[0] / "dead").exists()
    assert [row["step"] for row in together] == [row["step"] for row in alone] == [1, 2, 3, 4, 5]
    for name in ("loss", "grad_norm", "val_psnr"):
        assert [row[name] for row in together] == pytest.approx(
            [row[name] for row in alone], rel=1e-3
        )
    assert not list(Path(folders[0]).glob(".ray*"))


def test_one_worker_goes_on_where_two_ended(folders, tmp_path):
    out = shutil.copytree(folders[0], tmp_path / "on")
    again = shutil.copytree(folders[0], tmp_path / "again")
    config, views = scenes.train_config(steps=7, **LONG), scenes.views_of()
    state = train(config, scenes.task_of(config, views), out=out, device=CPU)
    assert state.step == 7
    assert [row["step"] for row in scenes.log_of(out)] == [1, 2, 3, 4, 5, 6, 7]
    for stop_at in (6, None):  # and exactly, wherever it is ended
        ended = train(config, scenes.task_of(config, views), out=again, device=CPU, stop_at=stop_at)
    assert_equal_states(state, ended)


def test_workers_that_differ_in_a_weight_or_a_moment_are_found_out(folders):
    config = scenes.train_config(steps=5, **LONG)
    state = TrainState(config, new_model(config), device=CPU)
    state.load(folders[0] / "state.pt")
    same = fingerprint(state)
    assert same == fingerprint(state)
    found = {same}
    for moments in state.optimizer.members:  # of Muon and of AdamW
        name = "momentum_buffer" if isinstance(moments, torch.optim.Muon) else "exp_avg"
        next(iter(moments.state.values()))[name].view(-1)[0] += 1e-3
        found.add(fingerprint(state))
    next(state.model.parameters()).data.view(-1)[0] += 1e-3
    assert len(found | {fingerprint(state)}) == 4


def test_a_batch_that_cannot_be_divided_is_refused(tmp_path):
    arguments = ["--config", "view-cpu", "--set", "batch=8", "--workers", "3", "--device", "cpu"]
    with pytest.raises(ValueError, match="a batch of 8 cannot be divided among 3 workers"):
        main([*arguments, "--out", str(tmp_path)])


def test_a_folder_of_another_run_is_refused(tmp_path):
    config = scenes.train_config(**LONG)
    train(config, scenes.task_of(config, scenes.views_of()), out=tmp_path, device=CPU, stop_at=1)
    other = scenes.train_config(**LONG, lr=5e-3)
    with pytest.raises(ValueError, match="a run with other values of lr; choose another --out"):
        train_together(other, None, out=tmp_path, device=CPU, workers=2, command="")
