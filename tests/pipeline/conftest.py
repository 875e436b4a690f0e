"""Tiny models, an object to show them, and grids that are quick to evaluate."""

from functools import partial

import numpy as np
import pytest
import torch

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.pipeline import ViewPipeline, view
from hyperdemo.render.mesh import extract_mesh
from tests import tiny

CPU = torch.device("cpu")
NAMES = ["foundation", "scratch"]


def loaded(make=tiny.model, seed=0, name="view-x", **changes):
    return LoadedModel(name, make(seed, **changes).requires_grad_(False), {})


def pair(make=tiny.model):
    return {name: loaded(make, seed) for seed, name in enumerate(NAMES)}


def photo(shade=200):
    """A box in two colours, cut out."""
    rgba = np.zeros((60, 80, 4), np.uint8)
    rgba[20:40, 20:60] = (shade, 90, 40, 255)
    rgba[30:40, 20:40, 2] = 200
    return rgba


@pytest.fixture(scope="module", autouse=True)
def small_grids():
    """The app's take seconds; the course of events is the same on smaller ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "GRID", 64)
        patch.setattr(view, "extract_mesh", partial(extract_mesh, resolution=24))
        yield


@pytest.fixture(scope="module")
def pipeline():
    return ViewPipeline(pair(), device=CPU)


@pytest.fixture(scope="module")
def prepared(pipeline):
    return pipeline.prepare(photo())
