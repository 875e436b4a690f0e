"""Both pipelines on a stand-in for a GPU: what a visitor gets is what the CPU makes."""

from concurrent.futures import Future

import numpy as np
import pytest

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import SoundRequest, ViewRequest
from hyperdemo.events import Encoded, Frames, Heard, MeshReady, Written
from hyperdemo.metrics import psnr
from hyperdemo.pipeline import SoundPipeline, ViewPipeline, orbit
from hyperdemo.pipeline import view as pipeline_module
from hyperdemo.preprocess.sound import PreparedSound
from tests import gpu, tiny
from tests.pipeline.conftest import CPU, photo


class AtOnce:
    """An executor on this thread: the stand-in is not seen by others."""

    def __init__(self, *_, **__):
        pass

    def submit(self, function, *args):
        future = Future()
        future.set_result(function(*args))
        return future

    def shutdown(self, **_):
        pass


def on_both(compute):
    expected = compute(CPU)
    with gpu.stand_in() as device:
        return expected, compute(device)


@pytest.mark.parametrize(
    "changes", [{}, {"renderer": "exact"}, {"refine_steps": 2}], ids=["fast", "exact", "sharpened"]
)
def test_objects(monkeypatch, changes):
    monkeypatch.setattr(orbit, "ThreadPoolExecutor", AtOnce)
    monkeypatch.setattr(pipeline_module, "GRID", 32)

    def shown(device):
        model = tiny.model().requires_grad_(False).to(device)
        pipeline = ViewPipeline({"x": LoadedModel("view-x", model, {})}, device=device)
        request = ViewRequest(size=16, n_frames=2, **changes)
        events = list(pipeline.view(pipeline.prepare(photo()), request))
        weights = [e.params.weights[0].numpy().tolist() for e in events if isinstance(e, Encoded)]
        frames = np.concatenate([e.rgb["x"] for e in events if isinstance(e, Frames)])
        return weights, frames, [e.glb is not None for e in events if isinstance(e, MeshReady)]

    (weights, frames, meshes), (found, again, surfaces) = on_both(shown)
    np.testing.assert_allclose(found, weights, atol=1e-3)
    assert psnr(again / 255, frames / 255) > 30 and surfaces == meshes


def test_sounds():
    heard = np.sin(np.arange(6000) / 9).astype(np.float32)

    def said(device):
        model = tiny.sound_model().requires_grad_(False).to(device)
        pipeline = SoundPipeline({"x": LoadedModel("sound-x", model, {})}, device=device)
        prepared = PreparedSound(heard, heard, 16_000, 1, False)
        events = list(pipeline.listen(prepared, SoundRequest(22_050)))
        (written,) = (e.sound.inrs for e in events if isinstance(e, Written))
        assert {t.device for t in (*written.masks, *written.base, written.gains)} == {CPU}
        return np.concatenate([e.samples["x"] for e in events if isinstance(e, Heard)])

    expected, found = on_both(said)
    np.testing.assert_allclose(found, expected, atol=1e-5)
