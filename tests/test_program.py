"""hyperdemo as a package: what a wheel holds, and that it works where there is no checkout."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hyperdemo
from hyperdemo.checkpoints import find_weights, save_checkpoint
from hyperdemo.config import ViewRequest
from hyperdemo.events import Frames
from hyperdemo.pipeline import ViewPipeline
from tests import tiny
from tests.conftest import ROOT
from tests.hub import TOKEN, running_hub

NEEDED = {"requirements.txt": "", "requirements-ray.txt": '; extra == "ray"'}
SOURCES = ("hyperdemo", "pyproject.toml", *NEEDED, "README.md", "LICENSE")
NOT_BUILT = shutil.ignore_patterns("__pycache__", "*.pyi")


def run(*command, folder, **environment):
    offline = {"HF_HUB_OFFLINE": "1", "PIP_NO_INDEX": "1", "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=folder, capture_output=True, text=True,
        timeout=240, env=os.environ | offline | environment,
    )  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    version = importlib.metadata.version("setuptools")
    if int(version.split(".")[0]) < 77:
        pytest.skip(f"needs the setuptools of requirements-dev.txt, there is {version}")
    folder = tmp_path_factory.mktemp("build")
    for name in SOURCES:
        path = ROOT / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, folder / name, **({"ignore": NOT_BUILT} if path.is_dir() else {}))
    (folder / "hyperdemo" / "render" / "__pycache__").mkdir()
    (folder / "hyperdemo" / "render" / "__pycache__" / "march.nbi").touch()  # Numba's cache
    options = ("--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    done = run("-m", "pip", "wheel", "-q", *options, ".", folder=folder)
    assert done.returncode == 0, done.stderr
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel, tmp_path_factory):
    """A folder of packages with nothing but hyperdemo in it."""
    folder = tmp_path_factory.mktemp("site")
    done = run("-m", "pip", "install", "-q", "--no-deps", "--target", folder, wheel, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    save_checkpoint(tiny.model(init="foundation"), folder, name="view-foundation", facts={})
    return folder


@pytest.fixture
def photo(tmp_path):
    rgba = np.zeros((60, 80, 4), np.uint8)
    rgba[20:40, 20:60] = (200, 90, 40, 255)
    Image.fromarray(rgba).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def test_a_wheel_holds_the_package_and_nothing_else(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = {n for n in archive.namelist() if ".dist-info/" not in n}
        (about,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(about).decode())
    ours = (p for p in (wheel.parent / "hyperdemo").rglob("*") if p.is_file())
    ours = {str(p.relative_to(wheel.parent)) for p in ours if p.suffix != ".nbi"}
    assert names == ours
    lines = (
        (line.partition("#")[0].strip(), NEEDED[p]) for p in NEEDED for line in (ROOT / p).open()
    )
    assert sorted(metadata.get_all("Requires-Dist")) == sorted(a + b for a, b in lines if a)
    assert metadata["Version"] == hyperdemo.__version__


def test_the_readmes_five_lines_run_where_there_is_no_checkout(site, weights, photo):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (example,) = (block for block in blocks if "photo_to_inr" in block)
    code = example.replace("photo.jpg", photo.name) + "\nprint(hyperdemo.__file__)"
    named = {"HYPERDEMO_WEIGHTS": str(weights), "PYTHONPATH": str(site)}
    done = run("-c", code, folder=photo.parent, **named)
    assert done.returncode == 0 and done.stdout.startswith(str(site)), done.stderr
    assert Image.open(photo.parent / "view.png").size == (256, 256)


def test_the_command_is_there_and_says_where_weights_are_missing(site, photo):
    named = {"HYPERDEMO_WEIGHTS": "", "PYTHONPATH": str(site)}
    command = (site / "bin" / "hyperdemo", "view", photo, "-o", "out")
    done = run(*command, folder=photo.parent, **named)
    assert done.returncode == 2 and done.stdout == ""
    assert "there are no weights beside the package; set HYPERDEMO_WEIGHTS" in done.stderr
    done = run(*command, folder=photo.parent, HYPERDEMO_HUB="nobody/nothing", **named)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "'nobody/nothing'" in done.stderr and "connect to the network" in done.stderr


def test_a_picture_is_the_pipelines_frame(weights, photo):
    pipeline = ViewPipeline.from_weights(weights, names=["foundation"], device="cpu")
    prepared = pipeline.prepare(np.asarray(Image.open(photo)))
    request = ViewRequest(size=64, n_frames=4)
    (frames,) = (e for e in pipeline.view(prepared, request) if isinstance(e, Frames))
    field = hyperdemo.photo_to_inr(photo, weights=weights, device="cpu")
    assert np.array_equal(hyperdemo.picture(field, size=64), frames.rgb["foundation"][0])


def test_weights_are_looked_for_in_order(monkeypatch, tmp_path, weights):
    monkeypatch.setenv("HYPERDEMO_WEIGHTS", str(tmp_path))
    assert find_weights(weights) == weights and find_weights() == tmp_path
    monkeypatch.delenv("HYPERDEMO_WEIGHTS")
    assert find_weights() == ROOT / "weights"


def test_an_installed_package_fetches_a_spaces_weights_once(site, weights, tmp_path):
    code = "from hyperdemo.checkpoints import find_weights\nprint(find_weights())"
    named = {"HYPERDEMO_WEIGHTS": "", "HYPERDEMO_HUB": "ann/demo", "PYTHONPATH": str(site)}
    named |= {"HF_HUB_OFFLINE": "0", "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path / "hub")}
    with running_hub() as hub:
        hub.made["ann/demo"] = {}
        hub.files = {f"weights/{p.name}": p.read_bytes() for p in weights.iterdir()}
        hub.files["app.py"] = b"not needed"
        named["HF_ENDPOINT"] = hub.url
        fetched = run("-c", code, folder=tmp_path, **named)
    empty = named | {"HF_HOME": str(tmp_path / "nothing")}
    away = run("-c", code, folder=tmp_path, **empty)
    assert "ValueError: the weights could not be fetched" in away.stderr.splitlines()[-1]
    kept = run("-c", code, folder=tmp_path, **named)  # the hub is away
    assert fetched.stdout == kept.stdout != "", fetched.stderr + kept.stderr
    found = Path(fetched.stdout.strip())
    assert {p.name: p.read_bytes() for p in found.iterdir()} == {
        p.name: p.read_bytes() for p in weights.iterdir()
    }
    assert not (found.parent / "app.py").exists()
