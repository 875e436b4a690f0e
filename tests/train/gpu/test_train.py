"""The whole way at toy size: pack here, train there in slices, unpack here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hyperdemo.backbones import build_vit
from hyperdemo.checkpoints import load_checkpoint
from tests import tiny
from tests.train.objects.test_collection import write_box, write_table
from train.gpu import pack, train
from train.gpu.unpack import unpack
from train.objects.collection import read_table
from train.objects.render_views import view_angles
from train.view.data import load_split

CPU = torch.device("cpu")
CONFIG = """
backbone_file = "{folder}/there/backbone.safetensors"
batch = 2
steps = 9
warmup = 1
eval_every = 1000
ema = 0.5
[data]
views_dir = "{folder}/there/views"
splits_file = "{folder}/splits.json"
target_views = 2
rays = 8
samples = 4
packed = true
[model]
n_groups = 4
[model.backbone]
image_size = 28
overrides = {{ depth = 2, embed_dim = 48, num_heads = 3 }}
[model.field]
width = 16
depth = 3
n_freqs = 4
"""
# What is not to be expected on a machine that has torch and little else.
ABSENT = ("av", "cachetools", "glcontext", "gradio", "moderngl", "pystoi", "soundfile", "soxr")
PROBE = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {(*ABSENT, "trimesh")!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import train.gpu.train
"""


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """The configuration, and the folders of a pack of four boxes."""
    names = [f"toys/box-{letter}" for letter in "abcd"]
    write_table(tmp_path, *({"id": name} for name in names))
    for k, name in enumerate(names):
        write_box(tmp_path / f"{name}.glb", colours=((60 * k, 200, 0), (0, 60 * k, 200)))
    entries = {model.object_id: model for model in read_table(tmp_path)}
    ids = list(entries)
    splits = {"train": ids[:2], "val": ids[2:3], "test": ids[3:], "unseen": ids[2:3]}
    splits["classes"] = dict.fromkeys(ids, "vehicle")
    (tmp_path / "splits.json").write_text(json.dumps(splits))
    (tmp_path / "toy.toml").write_text(CONFIG.format(folder=tmp_path))
    config = train.load_config(str(tmp_path / "toy.toml"))
    here = tmp_path / "here.safetensors"
    save_file(build_vit(tiny.BACKBONE).vit.state_dict(), here)
    monkeypatch.setattr(pack, "view_angles", lambda name: view_angles(name, 8))
    monkeypatch.setattr(pack, "CHUNK", 3)
    there = train.replace(config, backbone_file=str(here))
    return config, pack.pack(there, entries, tmp_path / "pack", limit=60_000)


def slice_of(config, work, *, seconds, more=0.0):
    arms = train.arms(str(work.parent / "toy.toml"), {})
    begun = train.time.monotonic()
    return train.train(arms, work, device=CPU, begun=begun, seconds=seconds, more=more)


def test_there_and_back(packed, tmp_path, monkeypatch):
    config, folders = packed
    work = tmp_path / "work"
    assert len(folders) > 1
    for folder in folders:
        lacking = train.receive(folder, work)
    assert not lacking
    monkeypatch.setattr(train, "WARM_STEPS", 1)
    monkeypatch.setattr(train, "TIMED_STEPS", 1)
    monkeypatch.setattr(train, "RESTART_SECONDS", 0)
    assert not slice_of(config, work, seconds=0.0, more=1e3)  # time is over: nothing but a start
    plan = json.loads((work / "plan.json").read_text())
    plan |= {"steps": 3, "seconds_per_step": 1e-3}
    (work / "plan.json").write_text(json.dumps(plan))
    assert set(plan["milliseconds"]) == {"data", "encoder"}
    assert slice_of(config, work, seconds=60.0)
    views = load_split(config.data, "train", input_size=28)
    assert views.rgba.shape == (2, 8, 128, 128, 4) and (views.rgba[..., 3] > 0).any()
    back = [tmp_path / "back" / init for init in ("foundation", "scratch")]
    for folder in back:
        train.give(folder.name, work, folder)
    assert unpack(back, tmp_path / "weights", runs=tmp_path / "runs") == [
        "view-foundation", "view-scratch",
    ]  # fmt: skip
    rates = []
    for name in ("view-foundation", "view-scratch"):
        loaded = load_checkpoint(tmp_path / "weights", name)
        assert loaded.facts["steps_taken"] == 3 and loaded.facts["train_objects"] == 2
        assert loaded.facts["command"] == "train/gpu.sh train"
        state = torch.load(work / "runs" / name[5:] / "state.pt", weights_only=True)["average"]
        for key, tensor in loaded.model.state_dict().items():
            torch.testing.assert_close(tensor, state[key], atol=2e-3, rtol=2e-3)
        rates.append(loaded.facts["training"]["lr_backbone"])
    assert rates[1] == pytest.approx(1.5 * rates[0])
    scores = json.loads((tmp_path / "runs" / "scratch" / "scores.json").read_text())
    assert set(scores["scratch"]) == {"val", "test", "unseen"}


def test_what_runs_there_needs_torch_and_little_else():
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", PROBE], cwd=root, check=True, timeout=120)
