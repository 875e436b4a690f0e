"""What the pipeline says of the objects of training: at home, beside a device, and elsewhere."""

import pickle

import numpy as np
import pytest
import torch

from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.config import ViewRequest
from hyperdemo.events import Compared, Encoded, Frames
from hyperdemo.known import picture_feature, save_known
from hyperdemo.known.objects import FILE
from hyperdemo.pipeline import ViewPipeline, load_view
from hyperdemo.pipeline.compared import compare
from tests import gpu, tiny
from tests.known.planted import known_objects, unit
from tests.pipeline.conftest import CPU, NAMES, pair, photo
from tests.zero import ZeroGpu, no_cuda_here

REQUEST = ViewRequest(size=16, n_frames=2, chunk_frames=2)


def planted(loaded, framed, *, away=0.0, **changes):
    """Five objects, of which the third is the picture itself, turned away by so much of 1."""
    pixels = torch.from_numpy(framed)[None].permute(0, 3, 1, 2).float() / 255
    own = picture_feature(loaded.model, pixels)[0].numpy()
    others = np.random.default_rng(5).normal(size=(5, len(own))).astype(np.float32)
    others -= np.outer(others @ own, own)  # at right angles
    across = unit(others[2])
    others[2] = (1 - away) * own + np.sqrt(1 - (1 - away) ** 2) * across
    return known_objects(unit(others), model=loaded.model, **changes)


@pytest.mark.parametrize(("away", "far"), [(0.0, False), (0.2, False), (0.4, True)])
def test_the_planted_object_is_found_at_its_distance(pipeline, prepared, away, far):
    loaded = pipeline.models["foundation"]
    known = planted(loaded, prepared.framed, away=away)
    found = compare(prepared.framed, known, loaded, device=CPU)
    assert (found.name, found.kind, found.n_objects) == ("thing 2", "other", 5)
    assert found.distance == pytest.approx(away, abs=1e-4) and found.far is far
    assert found.thumbnail == known.thumbnails[2] is not None


def test_it_is_told_once_between_the_networks_and_the_frames(prepared):
    models = pair()
    known = planted(models["foundation"], prepared.framed)
    events = list(ViewPipeline(models, device=CPU, known=known).view(prepared, REQUEST))
    told = [e for e in events if isinstance(e, Encoded | Compared | Frames)]
    assert [type(e) for e in told] == [Encoded, Encoded, Compared, Frames]
    assert pickle.loads(pickle.dumps(told[2])) == told[2]
    assert events[-1].seconds["foundation.compare"] > 0


def test_without_the_model_or_the_objects_nothing_is_said(pipeline, prepared):
    known = planted(pipeline.models["foundation"], prepared.framed)
    alone = ViewPipeline({"scratch": pipeline.models["scratch"]}, device=CPU, known=known)
    for silent in (alone, pipeline):
        events = list(silent.view(prepared, REQUEST))
        assert not any(isinstance(event, Compared) for event in events)
        assert "foundation.compare" not in events[-1].seconds


def test_another_device_finds_the_same(prepared):
    models = pair()
    known = planted(models["foundation"], prepared.framed, away=0.1)
    home = ViewPipeline(models, device=CPU, known=known)
    with gpu.stand_in() as device:
        near = home.to(device)
        assert near.known is known
        found = compare(prepared.framed, known, near.models["foundation"], device=device)
    expected = compare(prepared.framed, known, models["foundation"], device=CPU)
    assert found.name == expected.name
    assert found.distance == pytest.approx(expected.distance, abs=1e-4)


@pytest.fixture
def weights(tmp_path):
    for seed, name in enumerate(NAMES):
        save_checkpoint(tiny.model(seed, init=name), tmp_path, name=f"view-{name}", facts={})
    own = ViewPipeline.from_weights(tmp_path, device="cpu")
    known = planted(own.models["foundation"], own.prepare(photo()).framed)
    save_known(known, tmp_path / FILE)
    return tmp_path


def test_a_lent_gpu_tells_it_from_its_own_process(weights):
    zero = ZeroGpu()
    request = ViewRequest(size=16, n_frames=2, refine_steps=1)
    with no_cuda_here():
        pipeline = load_view(weights, device="cpu", zero_gpu=zero.GPU)
        events = list(pipeline.view(pipeline.prepare(photo()), request))
    (told,) = (event for event in events if isinstance(event, Compared))
    assert len(zero.children) == 1
    assert told.name == "thing 2" and not told.far and told.thumbnail[8:12] == b"WEBP"


def test_a_new_pair_beside_an_old_file_says_nothing(weights):
    assert len(ViewPipeline.from_weights(weights, device="cpu").known) == 5
    assert ViewPipeline.from_weights(weights, names=["scratch"], device="cpu").known is None
    save_checkpoint(tiny.model(7, init="foundation"), weights, name="view-foundation", facts={})
    assert ViewPipeline.from_weights(weights, device="cpu").known is None
    (weights / FILE).write_bytes(b"no such thing")
    with pytest.raises(ValueError, match=r"known\.safetensors cannot be used .* or remove it"):
        ViewPipeline.from_weights(weights, device="cpu")
