"""Tiny models on small grids, a picture, and an object whose truth is known."""

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperdemo.pipeline import SoundPipeline, ViewPipeline, view
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.mesh import extract_mesh
from tests import tiny
from tests.pipeline.conftest import CPU, NAMES, loaded

TRUTH_SIDE = 32


@pytest.fixture(scope="package", autouse=True)
def small_grids():
    """The app's grids take seconds; what the page does with them is the same on smaller ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "GRID", 32)
        patch.setattr(view, "extract_mesh", partial(extract_mesh, resolution=24))
        yield


def models(task, make):
    return {name: loaded(make, seed, f"{task}-{name}") for seed, name in enumerate(NAMES)}


@pytest.fixture(scope="package")
def pipeline() -> ViewPipeline:
    return ViewPipeline(models("view", tiny.model), device=CPU)


@pytest.fixture(scope="package")
def sound_pipeline() -> SoundPipeline:
    return SoundPipeline(models("sound", tiny.sound_model), device=CPU)


@pytest.fixture
def picture(rgba, tmp_path) -> str:
    path = tmp_path / "box.png"
    Image.fromarray(rgba).save(path)
    return str(path)


def write_object(folder: Path, rgba: np.ndarray, *, n_views: int = 3) -> Path:
    """An example object: its input, poses round it, and a strip of made-up truth."""
    folder.mkdir(parents=True)
    Image.fromarray(rgba).save(folder / "input.webp", lossless=True, exact=True)
    strip = np.zeros((TRUTH_SIDE, n_views * TRUTH_SIDE, 4), np.uint8)
    for k in range(n_views):
        strip[8:24, k * TRUTH_SIDE + 8 : k * TRUTH_SIDE + 24] = (60 * k, 90, 40, 255)
    Image.fromarray(strip).save(folder / "truth.webp", lossless=True, exact=True)
    poses = (look_at_origin(360.0 * k / n_views, 20.0) for k in range(n_views))
    frames = [{"file_path": str(k), "transform_matrix": p.tolist()} for k, p in enumerate(poses)]
    content = {"camera_angle_x": math.radians(40.0), "frames": frames}
    (folder / "transforms.json").write_text(json.dumps(content))
    (folder / "name.txt").write_text("A brown box\n")
    return folder


def write_examples(folder: Path, rgba: np.ndarray) -> Path:
    """A folder as `examples/`: one photograph and one object."""
    write_object(folder / "objects" / "box", rgba)
    Image.fromarray(rgba[:, :, :3]).save(folder / "photo.jpg")
    (folder / "CREDITS.md").write_text("Mine.")
    return folder


def chirp(*, rate_hz: int = 22_050, seconds: float = 0.9) -> np.ndarray:
    """A tone that rises and swells, with a little noise: no two stretches of it are alike."""
    time = np.arange(round(rate_hz * seconds)) / rate_hz
    noise = 0.003 * np.random.default_rng(3).normal(size=len(time))
    return 0.4 * np.sin(2 * np.pi * (200 + 900 * time) * time) * np.sin(3 * time) ** 2 + noise
