import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from hyperdemo.inr import InrParams
from hyperdemo.learn.batches import draw_batch
from hyperdemo.model import to_pixels
from hyperdemo.render.quadrature import Rendering
from hyperdemo.render.rays import RayLoss, render_rays
from tests.train import scenes
from tests.train.test_state import assert_equal_states
from train.cluster.team import Team
from train.cluster.training import fingerprint, train_together
from train.loop import new_model, train
from train.run import main
from train.state import TrainState
from train.view.task import ViewTask

CPU = torch.device("cpu")
LONG = dict(batch=4, lr_heads=1e-2, eval_every=1, save_minutes=0.0, clip=100.0)


class KilledOnce(ViewTask):
    """In the second worker: gone in its third step, the first time. In the first: keeps a state."""

    def __init__(self, *args, folder, **kwargs):
        super().__init__(*args, **kwargs)
        self.folder, self.calls = folder, 0

    def loss(self, model, *, generator):
        self.calls += 1
        kept = self.folder / "second.pt"
        if Team.here().leads and self.calls == 2 and not kept.exists():
            shutil.copy(self.folder / "state.pt", kept)
        elif not Team.here().leads and self.calls == 3 and not (self.folder / "dead").exists():
            (self.folder / "dead").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().loss(model, generator=generator)


class LoadKilledOnce:
    """What every worker calls to read its data, in its own process."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, config, *, device):
        views = scenes.views_of()
        return KilledOnce(config, views, views, device=device, folder=self.folder)


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
def folders(ray_runtime, tmp_path_factory):
    """A step alone, then four by two workers, of whom one is killed; and the same in one."""
    together, alone = (tmp_path_factory.mktemp(name) for name in ("together", "alone"))
    config, views = scenes.train_config(steps=5, **LONG), scenes.views_of()
    train(config, scenes.task_of(config, views), out=together, device=CPU, stop_at=1)
    shutil.copy(together / "state.pt", together / "first.pt")
    shutil.copytree(together, alone, dirs_exist_ok=True)
    load = LoadKilledOnce(together)
    step, _ = train_together(config, load, out=together, device=CPU, workers=2, command="")
    assert step == 5
    whole = WholeBatch(config, views, views, device=CPU)
    train(config, whole, out=alone, device=CPU, stop_at=2)
    shutil.copy(alone / "state.pt", alone / "second.pt")
    train(config, whole, out=alone, device=CPU)
    return together, alone


def test_two_halves_of_a_batch_have_the_gradient_of_the_whole(folders):
    together, alone = folders
    compared = [first_moments(path / "second.pt") for path in folders]
    before = first_moments(together / "first.pt")
    for ours, theirs, old in zip(*compared, before, strict=True):
        # Of the first step's moment nine tenths are left, or 95 %; both sides had the same.
        assert not torch.equal(ours, old)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_a_killed_worker_costs_nothing_but_time(folders):
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
