"""Which models go together, which are chosen, and what a broken one of them gives."""

import dataclasses

import pytest
import torch

from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.config import ViewRequest
from hyperdemo.events import Done, MeshReady
from hyperdemo.pipeline import SoundPipeline, ViewPipeline, choose_device
from tests import tiny
from tests.pipeline.conftest import CPU, NAMES, loaded, pair, photo

BOTH = pytest.mark.parametrize(
    ("kind", "make"), [(ViewPipeline, tiny.model), (SoundPipeline, tiny.sound_model)]
)


@BOTH
def test_from_weights_loads_the_pair_or_one_of_it(kind, make, tmp_path):
    for seed, init in enumerate(NAMES):
        model, name = make(seed, init=init), f"{kind.task}-{init}"
        save_checkpoint(model, tmp_path, name=name, facts={"git": init})
    pipeline = kind.from_weights(tmp_path, device="cpu")
    assert list(pipeline.models) == NAMES and pipeline.device == CPU
    assert pipeline.models["scratch"].facts["git"] == "scratch"
    assert "CPU" in pipeline.device_name
    pipeline.warm_up()
    (tmp_path / f"{kind.task}-scratch.safetensors").unlink()
    alone = kind.from_weights(tmp_path, names=["foundation"], device="cpu")
    assert list(alone.models) == ["foundation"]
    with pytest.raises(ValueError, match=f"no checkpoint .*{kind.task}-scratch"):
        kind.from_weights(tmp_path, device="cpu")


@BOTH
def test_names_choose_and_order_the_models(kind, make):
    pipeline = kind(pair(make), device=CPU)
    assert pipeline.chosen(None) == ("foundation", "scratch")
    assert pipeline.chosen(["scratch", "foundation"]) == ("scratch", "foundation")
    stream = pipeline.view if kind is ViewPipeline else pipeline.listen
    for names in (["foundation", "other"], []):
        with pytest.raises(ValueError, match=r"among \['foundation', 'scratch'\], got"):
            next(stream(None, None, names=names))
    with pytest.raises(ValueError, match="at least one model"):
        kind({}, device=CPU)


def test_there_must_be_a_device(monkeypatch):
    with pytest.raises(ValueError, match="'cpu' or 'cuda', got 'abacus'"):
        choose_device("abacus")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device() == choose_device("cpu") == CPU
    with pytest.raises(ValueError, match="torch sees no GPU; use 'cpu'"):
        choose_device("cuda")


def constant(output):
    """A pipeline whose one model writes networks that give this output everywhere."""
    one = loaded()
    for parameter in one.model.heads.base:
        parameter.zero_()
    one.model.heads.biases[-1].fill_(output)
    return ViewPipeline({"x": one}, device=CPU)


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
    own, sound = loaded(name="view-a"), loaded(tiny.sound_model, name="sound-b")
    with pytest.raises(ValueError, match="of the view task expected, got sound-b .'b'. of the sou"):
        ViewPipeline({"a": own, "b": sound}, device=CPU)
    larger = loaded(name="view-c", backbone=dataclasses.replace(tiny.BACKBONE, image_size=42))
    with pytest.raises(ValueError, match="same input expected, got .*'view-a': 28, 'view-c': 42"):
        ViewPipeline({"a": own, "c": larger}, device=CPU)
