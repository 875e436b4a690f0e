"""A request that asks for refinement: what is shown, told and kept is the refined network."""

import dataclasses

import numpy as np
import pytest
import torch

from hyperdemo.config import ViewRequest
from hyperdemo.events import Done, Encoded, Frames, Progress, VolumeReady
from hyperdemo.inr import as_field
from hyperdemo.pipeline import ViewPipeline, refined
from hyperdemo.pipeline.refined import Refiner
from hyperdemo.render.bake import bake
from hyperdemo.render.volume import pack_volume
from tests import tiny

PLAIN = ViewRequest(size=32, n_frames=2, chunk_frames=2)
REFINED = dataclasses.replace(PLAIN, refine_steps=12)


def networks_of(events, name):
    """Each network of a model that was told of, in order."""
    return [e.params for e in events if isinstance(e, Encoded) and e.name == name]


def weights_of(events, name):
    """The first layer of each."""
    return [params.weights[0] for params in networks_of(events, name)]


def test_networks_are_told_of_as_written_and_as_refined(pipeline, prepared):
    events = list(pipeline.view(prepared, REFINED))
    for name in pipeline.models:
        written, fitted = weights_of(events, name)
        by_model = pipeline.encode(prepared.framed, pipeline.models[name])
        assert torch.equal(written, by_model.weights[0])
        assert not torch.equal(written, fitted)
    told = [e.message for e in events if isinstance(e, Progress) and "step" in e.message]
    assert told[0] == "fine-tuning on the picture, step 1 of 12"
    assert len(told) == 6  # steps 1, 6 and 11 of two models
    shares = [e.fraction for e in events if isinstance(e, Progress)]
    assert shares == sorted(shares)  # the bar never goes back
    done = next(e for e in events if isinstance(e, Done))
    assert {"foundation.refine", "scratch.refine"} <= set(done.seconds)


def test_the_way_there_is_shown_of_both_models_in_step(pipeline, prepared):
    request = dataclasses.replace(REFINED, refine_shown=True)
    events = list(pipeline.view(prepared, request))
    volumes = [e for e in events if isinstance(e, VolumeReady)]
    on_the_way = [(e.step, e.name) for e in volumes if e.step is not None]
    assert on_the_way == [(step, name) for step in (0, 5, 10, 12) for name in pipeline.models]
    for name, loaded in pipeline.models.items():
        written, fitted = (
            next(e.volume for e in volumes if e.name == name and e.step == step)
            for step in (0, request.refine_steps)
        )
        for params, volume in zip(networks_of(events, name), (written, fitted), strict=True):
            field = as_field(loaded.model.config.field, params)
            assert volume == pack_volume(bake(field, resolution=refined.SHOWN_GRID))
        assert written != fitted
    again = [e for e in pipeline.view(prepared, request) if isinstance(e, VolumeReady)]
    assert sorted(again, key=str) == sorted(volumes, key=str)


def test_what_is_shown_is_the_refined_network_and_the_plain_one_stays_as_it_was(pipeline, prepared):
    def frames(request):
        events = list(pipeline.view(prepared, request))
        return next(e.rgb["foundation"] for e in events if isinstance(e, Frames))

    plain, fitted = frames(PLAIN), frames(REFINED)
    assert np.abs(plain.astype(int) - fitted).max() > 3
    np.testing.assert_array_equal(frames(PLAIN), plain)
    np.testing.assert_array_equal(frames(REFINED), fitted)


def test_a_second_request_is_answered_from_what_was_kept(pipeline, prepared, monkeypatch):
    first = weights_of(pipeline.view(prepared, REFINED), "scratch")
    monkeypatch.setattr(refined, "refine", None)
    events = list(pipeline.view(prepared, REFINED))
    assert all(map(torch.equal, weights_of(events, "scratch"), first))
    other = dataclasses.replace(REFINED, refine_steps=13)
    with pytest.raises(TypeError):  # not kept, so it would have to be refined
        list(pipeline.view(prepared, other))


def test_two_at_once_show_one_network(pipeline, prepared):
    """On a GPU two fits differ; what is downloaded must be what is shown."""
    request, other = dataclasses.replace(PLAIN, refine_steps=9), tiny.params()
    events, encoded = pipeline.view(prepared, request, names=["scratch"]), []
    for event in events:
        if isinstance(event, Progress) and "step 6" in event.message:
            refiner = Refiner(pipeline._kept, prepared, steps=9, device=pipeline.device)
            pipeline._kept.get((refiner.picture, "scratch", "params"), lambda: other)
        if isinstance(event, Encoded):
            encoded.append(event.params)
    assert encoded[-1].weights[0] is other.weights[0]
    assert pipeline._kept.find((refiner.picture, "scratch", "baked")) is not None


def test_the_loss_is_that_of_the_models_training(pipeline, prepared):
    def fitted(**data):
        loaded = dataclasses.replace(pipeline.models["scratch"], facts={"training": {"data": data}})
        own = ViewPipeline({"scratch": loaded}, device=pipeline.device)
        return weights_of(own.view(prepared, REFINED), "scratch")[1]

    default = fitted()
    assert torch.equal(fitted(alpha_weight=0.5, absolute_weight=0.3), default)
    assert not torch.equal(fitted(alpha_weight=0.5, absolute_weight=0.0), default)


def test_closing_it_on_the_way_stops_the_work(pipeline, prepared, monkeypatch):
    taken, refine = [], refined.refine

    def counted(*args, **options):
        for state in refine(*args, **options):
            taken.append(state.step)
            yield state

    monkeypatch.setattr(refined, "refine", counted)
    events = pipeline.view(prepared, dataclasses.replace(PLAIN, refine_steps=40))
    for event in events:
        if isinstance(event, Progress) and "step 6" in event.message:
            events.close()
            break
    assert taken == [1, 1, 2, 3, 4, 5, 6]  # both models, by turns
