"""A GPU that is lent, refused or lost; the CPU stands in for it, in processes of its own."""

import gradio as gr
import numpy as np
import pytest
import torch

from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.config import SoundRequest, ViewRequest
from hyperdemo.events import Done, Encoded, Frames, Heard, MeshReady, Progress, Views, VolumeReady
from hyperdemo.pipeline import SoundPipeline, ViewPipeline, lent, load_view, view
from hyperdemo.pipeline import orbit as pipeline_orbit
from hyperdemo.preprocess.sound import PreparedSound
from hyperdemo.render.cameras import PosedViews, orbit
from hyperdemo.render.mesh import extract_mesh
from tests import gpu, tiny
from tests.pipeline.conftest import CPU, NAMES, pair, photo
from tests.pipeline.test_device import AtOnce
from tests.zero import ZeroGpu, no_cuda_here

SHARPENED = ViewRequest(size=16, n_frames=4, chunk_frames=2, refine_steps=2)
QUOTA = gr.Error("You have exceeded your GPU quota", title="ZeroGPU quota exceeded")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for seed, name in enumerate(NAMES):
        save_checkpoint(tiny.model(seed, init=name), folder, name=f"view-{name}", facts={})
    return folder


def made(pipeline, request=SHARPENED):
    """All events of a request, with views of two poses."""
    poses = PosedViews(orbit(2, 10.0), 40.0, (None, None))
    return list(pipeline.view(pipeline.prepare(photo()), request, poses=poses))


def content(events):
    """What a visitor gets, in order, as arrays and bytes."""
    found = []
    for event in events:
        match event:
            case Encoded(name, params):
                found.append((name, [t.numpy() for t in params.tensors().values()]))
            case Frames(start, rgb, depth):
                found.append((start, [*rgb.values(), *depth.values()]))
            case Views(name, start, rgb):
                found.append((name, start, [rgb]))
            case VolumeReady(name, data) | MeshReady(name, data):
                found.append((name, [np.frombuffer(data or b"", np.uint8)]))
    return found


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one[:-1] == other[:-1]
        for a, b in zip(one[-1], other[-1], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_another_process_makes_the_same(weights, method, monkeypatch):
    if method == "spawn":  # the child knows of no smaller grids than the app's
        monkeypatch.setattr(view, "GRID", 96)
        monkeypatch.setattr(view, "extract_mesh", extract_mesh)
    expected = content(made(ViewPipeline.from_weights(weights, device="cpu")))
    zero = ZeroGpu(method)
    with no_cuda_here():
        pipeline = load_view(weights, device="cpu", zero_gpu=zero.GPU)
        pipeline.warm_up()
        assert not zero.children, "nobody asked for anything yet"
        events = made(pipeline)
    assert_same(content(events), expected)
    assert isinstance(events[-1], Done) and events[-1].device == "CPU, 1 threads"
    assert zero.declared == [15] and len(zero.children) == 1


def test_the_stand_in_tells_off_who_touches_cuda():
    with no_cuda_here(), pytest.raises(RuntimeError, match="touched outside"):
        torch.zeros(1).to("cuda")


def test_a_quick_request_costs_no_quota(weights, monkeypatch):
    zero = ZeroGpu(refusal=QUOTA)
    pipeline = load_view(weights, device="cpu", zero_gpu=zero.GPU)
    quick = ViewRequest(size=16, n_frames=2)
    assert made(pipeline, quick)[-1].device == "CPU, 1 threads" and not zero.declared
    assert lent.worth_a_gpu(ViewRequest(size=512, n_frames=240))
    monkeypatch.setattr(lent, "MANY_PIXELS", 100)
    assert "used up" in made(pipeline, quick)[-1].device and zero.declared == [10]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"refusal": QUOTA}, "your GPU time for today is used up"),
        ({"refusal": RuntimeError("no answer")}, "no GPU was free"),
        ({"items": 0}, "no GPU was free"),
        # In the middle of the orbit, and of the second model's views.
        ({"items": 12}, "the GPU was lost"),
        ({"items": 17}, "the GPU was lost"),
    ],
    ids=["quota", "refused", "killed", "in the orbit", "in the views"],
)
def test_without_a_gpu_the_cpu_answers_and_says_so(weights, options, words):
    home = ViewPipeline.from_weights(weights, device="cpu")
    zero = ZeroGpu(**options)
    with no_cuda_here():
        events = made(load_view(weights, device="cpu", zero_gpu=zero.GPU))
    assert events[-1].device == f"CPU, 1 threads: {words}"
    told = [e.message for e in events if isinstance(e, Progress)]
    assert f"{words}; computing on the CPU" in told
    # Frames and views once each, in order; networks may come again and are the same.
    expected = [one for one in made(home) if isinstance(one, Frames | Views)]
    assert_same(content(e for e in events if isinstance(e, Frames | Views)), content(expected))
    written = {e.name: e for e in events if isinstance(e, Encoded)}
    assert list(written) == NAMES
    assert not any(child.is_alive() for child in zero.children)


def test_a_stop_ends_the_child(weights):
    zero = ZeroGpu()
    pipeline = load_view(weights, device="cpu", zero_gpu=zero.GPU)
    events = pipeline.view(pipeline.prepare(photo()), SHARPENED)
    next(event for event in events if isinstance(event, Encoded))
    events.close()
    assert len(zero.children) == 1 and not zero.children[0].is_alive()


def test_a_gpu_of_ones_own_computes_and_the_cpu_stands_by(weights, monkeypatch):
    monkeypatch.setattr(pipeline_orbit, "ThreadPoolExecutor", AtOnce)
    request = ViewRequest(size=16, n_frames=2)
    expected = made(ViewPipeline.from_weights(weights, device="cpu"), request)
    with gpu.stand_in() as device:
        monkeypatch.setattr(lent, "choose_device", lambda _: device)
        pipeline = load_view(weights)
        assert pipeline.n_at_once == 2 and pipeline.device == CPU
        found = made(pipeline, request)
        monkeypatch.setattr(ViewPipeline, "encode", lost_on(device, ViewPipeline.encode))
        again = made(load_view(weights), request)
    written, others = (
        [t.numpy() for e in events if isinstance(e, Encoded) for t in e.params.tensors().values()]
        for events in (found, expected)
    )
    for ours, theirs in zip(written, others, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert_same(content(again), content(expected))
    assert again[-1].device == "CPU, 1 threads: the GPU's memory was full"


def lost_on(device, encode):
    def encoded(self, *args):
        if self.device == device:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return encode(self, *args)

    return encoded


class Failing:
    """Passes on so many events, then fails as a GPU does."""

    def __init__(self, generate, n, error):
        self.generate, self.n, self.error = generate, n, error

    def __call__(self, *args, **kwargs):
        for k, event in enumerate(self.generate(*args, **kwargs)):
            if k == self.n:
                raise self.error
            yield event


def test_a_sound_goes_on_where_the_gpu_was_lost():
    home = SoundPipeline(pair(tiny.sound_model), device=CPU)
    samples = np.sin(np.arange(40_000) / 9).astype(np.float32)
    prepared = PreparedSound(samples, samples, 16_000, 1, False)
    full = torch.cuda.OutOfMemoryError("CUDA out of memory")
    pipeline = lent.LentSound(home, Failing(home.listen, 3, full), name="a GPU")
    assert pipeline.device_name == "a GPU"

    def heard(pipeline):
        events = list(pipeline.listen(prepared, SoundRequest()))
        pieces = [e.samples["scratch"] for e in events if isinstance(e, Heard)]
        return np.concatenate(pieces), events[-1].device

    (found, device), (expected, _) = heard(pipeline), heard(home)
    np.testing.assert_array_equal(found, expected)
    assert device == "CPU, 1 threads: the GPU's memory was full"
