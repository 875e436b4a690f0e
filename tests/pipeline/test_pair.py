"""Which models go together, and what a broken one of them gives."""

import dataclasses

import numpy as np
import pytest
import torch

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import ViewRequest
from hyperdemo.events import Done, MeshReady
from hyperdemo.pipeline import ViewPipeline
from tests import tiny

CPU = torch.device("cpu")


def photo():
    """A grey box, cut out."""
    rgba = np.zeros((60, 80, 4), np.uint8)
    rgba[20:40, 20:60] = 200, 90, 40, 255
    return rgba


def constant(output):
    """A pipeline whose one model writes networks that give this output everywhere."""
    model = tiny.model()
    with torch.no_grad():
        for parameter in model.heads.base:
            parameter.zero_()
        model.heads.biases[-1].fill_(output)
    return ViewPipeline({"x": LoadedModel("view-x", model.requires_grad_(False), {})}, device=CPU)


@pytest.mark.parametrize("renderer", ["fast", "exact"])
def test_a_field_without_a_surface_is_a_result_and_one_of_nan_is_not(renderer):
    request = ViewRequest(size=16, n_frames=1, renderer=renderer)
    haze, broken = constant(-9.0), constant(float("nan"))
    told = list(haze.view(haze.prepare(photo()), request))
    assert [event for event in told if isinstance(event, MeshReady)] == [MeshReady("x", None)]
    assert isinstance(told[-1], Done)
    with pytest.raises(ValueError, match="not finite"):
        list(broken.view(broken.prepare(photo()), request))


def test_models_that_do_not_go_together_are_refused():
    def loaded(model, name):
        return LoadedModel(name, model, {})

    own = loaded(tiny.model(), "view-a")
    with pytest.raises(ValueError, match="of the view task expected, got sound-b .'b'. of the sou"):
        ViewPipeline({"a": own, "b": loaded(tiny.sound_model(), "sound-b")}, device=CPU)
    larger = dataclasses.replace(tiny.BACKBONE, image_size=42)
    with pytest.raises(ValueError, match="same input expected, got .*'view-a': 28, 'view-c': 42"):
        ViewPipeline({"a": own, "c": loaded(tiny.model(backbone=larger), "view-c")}, device=CPU)
