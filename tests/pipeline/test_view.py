import itertools
import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh

from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import ViewRequest
from hyperdemo.events import Done, Encoded, Frames, MeshReady, Progress, Views, VolumeReady
from hyperdemo.inr import as_field
from hyperdemo.metrics import psnr
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.pipeline import view as pipeline_module
from hyperdemo.pipeline.orbit import depth_picture
from hyperdemo.render.cameras import PosedViews, look_at_origin, orbit
from hyperdemo.render.quadrature import render_view
from tests import tiny
from tests.pipeline.conftest import CPU, NAMES, loaded, photo

REQUEST = ViewRequest(size=32, n_frames=7, chunk_frames=3, elevation_deg=10.0)


def only(kind, events):
    return [event for event in events if isinstance(event, kind)]


def frames_of(events, name):
    return np.concatenate([event.rgb[name] for event in only(Frames, events)])


def as_rendered(params, pose, **options):
    """A network's picture by the exact renderer."""
    field = as_field(tiny.FIELD, params)
    seen = render_view(field, torch.from_numpy(pose), **options)
    return seen.rgb.numpy().astype(np.float64)


@pytest.fixture(scope="module")
def events(pipeline, prepared):
    poses = np.stack([look_at_origin(a, 10.0) for a in (0.0, 120.0)])
    views = PosedViews(poses, 40.0, (None, None))
    return list(pipeline.view(prepared, REQUEST, poses=views))


def test_events_come_in_order(events):
    told = [type(event) for event in events if not isinstance(event, Progress)]
    kinds = (Encoded, Frames, Views, VolumeReady, MeshReady)
    expected = [kind for kind in kinds for _ in range(3 if kind is Frames else 2)] + [Done]
    assert told == expected
    for kind in (Encoded, Views, VolumeReady, MeshReady):
        assert [event.name for event in only(kind, events)] == NAMES
    fractions = [event.fraction for event in only(Progress, events)]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] <= 1
    # Whatever takes long is announced before it is done.
    assert isinstance(events[0], Progress)


def test_frames_of_both_models_are_in_step(events):
    chunks = only(Frames, events)
    assert [chunk.start for chunk in chunks] == [0, 3, 6]
    for chunk, length in zip(chunks, (3, 3, 1), strict=True):
        for pictures in (chunk.rgb, chunk.depth):
            assert list(pictures) == NAMES
            for part in pictures.values():
                assert part.shape == (length, 32, 32, 3) and part.dtype == np.uint8
    foundation, scratch = frames_of(events, "foundation"), frames_of(events, "scratch")
    assert foundation.std() > 5 and np.abs(foundation.astype(int) - scratch).max() > 10


def test_an_orbit_goes_round(events, prepared, pipeline):
    """Every frame is its own camera's: against the exact renderer at the orbit's poses."""
    params = pipeline.encode(prepared.framed, pipeline.models["scratch"])
    frames = frames_of(events, "scratch")
    for frame, pose in zip(frames, orbit(7, 10.0), strict=True):
        assert psnr(frame, as_rendered(params, pose, fov_deg=40.0, size=32, supersample=4)) > 30
    assert psnr(frames[0], frames[3]) < 30


def test_the_exact_renderer_shows_the_same(events, pipeline, prepared):
    exact = ViewRequest(size=32, n_frames=7, elevation_deg=10.0, renderer="exact")
    again = list(pipeline.view(prepared, exact))
    for name in NAMES:
        assert psnr(frames_of(again, name), frames_of(events, name)) > 30
        assert not np.array_equal(frames_of(again, name), frames_of(events, name))


def test_views_are_of_the_poses_asked_for(events, pipeline, prepared):
    for event in only(Views, events):
        assert event.rgb.shape == (2, 32, 32, 3)
        np.testing.assert_array_equal(event.rgb[0], frames_of(events, event.name)[0])
    pose = look_at_origin(120.0, 10.0)
    larger = ViewRequest(size=16, n_frames=1, pose_size=48, elevation_deg=10.0)
    poses = PosedViews(pose[None], 20.0, (None,))
    told = list(pipeline.view(prepared, larger, names=["foundation"], poses=poses))
    (view,), (written,) = only(Views, told), only(Encoded, told)
    seen = as_rendered(written.params, pose, fov_deg=20.0, size=48, supersample=2)
    assert view.rgb.shape == (1, 48, 48, 3) and psnr(view.rgb[0], seen) > 30


def test_the_mesh_is_a_glb(events):
    for event in only(MeshReady, events):
        assert event.glb[:4] == b"glTF"
        scene = trimesh.load(trimesh.util.wrap_as_stream(event.glb), file_type="glb")
        assert 0.1 < np.abs(scene.bounds).max() <= 1.1


def test_seconds_are_told_by_stage(events):
    seconds = events[-1].seconds
    own = ("encode", "bake", "views", "pack", "mesh")
    stages = {f"{model}.{stage}" for model in NAMES for stage in own} | {"orbit"}
    assert set(seconds) == stages and min(seconds.values()) > 0
    assert only(Encoded, events)[0].seconds == seconds["foundation.encode"]


def test_models_are_shown_in_the_order_asked_for(pipeline, prepared):
    request, names = ViewRequest(size=16, n_frames=1), ["scratch", "foundation"]
    told = list(pipeline.view(prepared, request, names=names))
    assert [event.name for event in only(Encoded, told)] == names
    assert all(list(event.rgb) == names for event in only(Frames, told))


def test_closing_early_stops_the_work(pipeline, prepared, monkeypatch):
    calls = []
    march = pipeline_module.march

    def counted(*args, **kwargs):
        calls.append(1)
        return march(*args, **kwargs)

    monkeypatch.setattr(pipeline_module, "march", counted)
    stream = pipeline.view(prepared, REQUEST)
    next(event for event in stream if isinstance(event, Frames))
    stream.close()
    # One chunk of both models, and of the next one what had been begun: the rest is dropped.
    assert 2 * 3 <= len(calls) <= 2 * 3 * 2
    assert list(stream) == []
    done = len(calls)
    time.sleep(0.2)
    assert len(calls) == done


def test_a_failing_frame_fails_the_request(pipeline, prepared, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(pipeline_module, "march", broken)
    with pytest.raises(RuntimeError, match="out of memory"):
        list(pipeline.view(prepared, REQUEST))


def test_the_same_picture_is_not_written_twice(prepared, monkeypatch):
    own = ViewPipeline({"scratch": loaded()}, device=CPU)
    calls = []
    for name in ("encode", "_mesh"):
        made = getattr(own, name)
        monkeypatch.setattr(own, name, lambda *a, m=made, n=name: (calls.append(n), m(*a))[1])
    first = list(own.view(prepared, REQUEST))
    assert calls == ["encode", "_mesh"]
    again = list(own.view(replace(prepared, framed=prepared.framed.copy()), REQUEST))
    assert calls == ["encode", "_mesh"]
    np.testing.assert_array_equal(frames_of(first, "scratch"), frames_of(again, "scratch"))
    other = prepared.framed.copy()
    other[0, 0] = 0
    list(own.view(replace(prepared, framed=other), REQUEST))
    assert calls == ["encode", "_mesh"] * 2


def test_two_requests_taken_in_turns_do_not_mix(pipeline, prepared, events):
    other = pipeline.prepare(255 - photo(20) * np.array([1, 1, 1, 0], np.uint8))
    request = ViewRequest(size=32, n_frames=7, chunk_frames=2, elevation_deg=-30.0)
    alone = list(pipeline.view(other, request))
    pairs = list(
        itertools.zip_longest(pipeline.view(prepared, REQUEST), pipeline.view(other, request))
    )
    for name in NAMES:
        for index, expected in ((0, events), (1, alone)):
            mixed = [pair[index] for pair in pairs if pair[index] is not None]
            np.testing.assert_array_equal(frames_of(mixed, name), frames_of(expected, name))
    assert not np.array_equal(frames_of(alone, "scratch"), frames_of(events, "scratch"))


def test_threads_see_what_one_sees(pipeline, prepared, events):
    found, failed = {}, []

    def visitor(number):
        try:
            found[number] = frames_of(pipeline.view(prepared, REQUEST), "foundation")
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=visitor, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and len(found) == 2
    for frames in found.values():
        np.testing.assert_array_equal(frames, frames_of(events, "foundation"))


def test_preparing_frames_at_the_encoder_s_size(pipeline, prepared):
    assert pipeline.input_size == 28 and prepared.framed.shape == (28, 28, 3)
    assert prepared.mask_source == "alpha"
    with pytest.raises(ValueError):
        pipeline.prepare(np.zeros((40, 40, 4), np.uint8))
    mask = np.zeros((60, 80), bool)
    mask[20:40, 40:60] = True
    edited = pipeline.prepare(photo(), mask=mask)
    assert edited.mask_source == "edited"
    assert not np.array_equal(edited.framed, prepared.framed)


def test_depth_is_dark_in_front_and_white_where_there_is_nothing():
    depth = np.array([[2.0, 3.0, 4.0, 0.0, 3.0]], np.float32)
    alpha = np.array([[1.0, 1.0, 1.0, 0.0, 0.5]], np.float32)
    grey = depth_picture(depth, alpha)
    assert grey.shape == (1, 5, 3) and (grey == grey[..., :1]).all()
    half = 255 * 0.425
    expected = [0, half, 255 * 0.85, 255, 0.5 * half + 0.5 * 255]
    np.testing.assert_allclose(grey[0, :, 0], expected, atol=0.5 + 1e-3)


def test_the_gpu_shows_the_same(gpu, pipeline, prepared, events):
    models = {
        name: LoadedModel(m.name, tiny.model(seed).requires_grad_(False).to(gpu), {})
        for seed, (name, m) in enumerate(pipeline.models.items())
    }
    told = list(ViewPipeline(models, device=gpu).view(prepared, REQUEST))
    for name in models:
        assert psnr(frames_of(told, name), frames_of(events, name)) > 40
