import itertools
import json
import zipfile
from dataclasses import replace

import av
import numpy as np
import pytest
from PIL import Image

from hyperdemo.config import ViewRequest
from hyperdemo.events import Frames
from hyperdemo.examples import read_held_out
from hyperdemo.inr.export import load_inr
from hyperdemo.pipeline import view as pipeline_module
from hyperdemo.pipeline.lent import LentView
from hyperdemo.render.mesh import NoSurface
from hyperdemo.render.volume import unpack_volume
from hyperdemo.ui.object.panels import OrbitSheet
from hyperdemo.ui.object.stream import (
    MIN_PANEL,
    Chunk,
    Result,
    Sharpened,
    Status,
    score_views,
    stream_views,
)
from tests.ui.conftest import write_object

REQUEST = ViewRequest(size=32, n_frames=6, fps=4, chunk_frames=4, pose_size=32)


@pytest.fixture(scope="module")
def prepared(pipeline, rgba):
    return pipeline.prepare(rgba)


@pytest.fixture(scope="module")
def updates(pipeline, prepared, rgba, tmp_path_factory):
    held_out = read_held_out(write_object(tmp_path_factory.mktemp("objects") / "box", rgba))
    folder = tmp_path_factory.mktemp("out")
    return list(stream_views(pipeline, prepared, REQUEST, folder=folder, held_out=held_out))


def frames_of(path):
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def test_updates_come_in_the_order_the_page_needs(updates):
    kinds = [type(update) for update in updates]
    assert kinds[0] is Status and kinds[-1] is Result and kinds.count(Result) == 1
    assert kinds.count(Chunk) == 2
    fractions = [update.fraction for update in updates if isinstance(update, Status)]
    assert fractions == sorted(fractions)
    words = " ".join(update.message for update in updates if isinstance(update, Status))
    assert "Pretrained (DINOv2):" in words and "foundation:" not in words


def test_an_orbit_whose_gpu_was_lost_is_whole_and_says_so(pipeline, prepared, updates, tmp_path):
    def lost(*args, **kwargs):
        yield from itertools.islice(pipeline.view(*args, **kwargs), 8)  # to the first chunk
        raise RuntimeError("CUDA error: unspecified launch failure")

    lent = LentView(pipeline, lost, name="a GPU")
    shown = list(stream_views(lent, prepared, REQUEST, folder=tmp_path))
    said = [update.message for update in shown if isinstance(update, Status)]
    assert "the GPU was lost; computing on the CPU" in said
    assert shown[-1].device == f"{pipeline.device_name}: the GPU was lost"
    whole, expected = frames_of(shown[-1].orbit), frames_of(updates[-1].orbit)
    np.testing.assert_array_equal(whole, expected)


def test_both_models_stand_in_step_in_every_frame(pipeline, prepared, updates):
    """Each column of a decoded frame shows the model's own panel of that very moment."""
    sheet = OrbitSheet(["a", "b"], size=MIN_PANEL)
    events = [e for e in pipeline.view(prepared, REQUEST) if isinstance(e, Frames)]
    decoded = frames_of(updates[-1].orbit)
    chunks = [frames_of(update.path) for update in updates if isinstance(update, Chunk)]
    assert [len(chunk) for chunk in chunks] == [4, 2] and len(decoded) == REQUEST.n_frames
    for column, name in enumerate(("foundation", "scratch")):
        panels = np.concatenate([event.rgb[name] for event in events])
        left, top = sheet.columns[column], sheet.colour_top
        for panel, frame in zip(panels, decoded, strict=True):
            shown = Image.fromarray(frame[top : top + MIN_PANEL, left : left + MIN_PANEL])
            shown = np.asarray(shown.resize(panel.shape[:2])).astype(int)
            assert np.abs(shown - panel).mean() < 6  # H.264 is lossy, and so is resampling


def test_networks_can_be_taken_away_and_read_back(updates, pipeline):
    result = updates[-1]
    for name, path in result.networks.items():
        with zipfile.ZipFile(path) as archive:
            assert sorted(archive.namelist()) == [f"{name}.json", f"{name}.safetensors"]
            params, config = load_inr(archive.read(f"{name}.safetensors"))
            assert json.loads(archive.read(f"{name}.json"))["provenance"]["model"] == f"view-{name}"
        assert config == pipeline.models[name].model.config.field
        assert params.n_parameters == result.n_parameters[name]


def test_sharpening_hands_on_each_step_once_both_models_have_taken_it(pipeline, prepared, tmp_path):
    request = replace(REQUEST, n_frames=1, refine_steps=7, refine_shown=True)
    *updates, result = stream_views(pipeline, prepared, request, folder=tmp_path)
    told = [list(update.steps) for update in updates if isinstance(update, Sharpened)]
    assert told == [[0], [0, 5], [0, 5, 7]] and list(result.steps) == [0, 5, 7]
    for files in result.steps.values():
        assert list(files) == ["foundation", "scratch"]
        assert len({path.read_bytes() for path in files.values()}) == 2


def test_meshes_and_fields_can_be_opened(updates):
    result = updates[-1]
    assert list(result.meshes) == list(result.volumes) == ["foundation", "scratch"]
    for mesh, volume in zip(result.meshes.values(), result.volumes.values(), strict=True):
        assert mesh.read_bytes()[:4] == b"glTF"
        assert unpack_volume(volume.read_bytes()).density.max() > 0


def test_the_truth_is_shown_beside_the_models_and_scored(updates):
    result = updates[-1]
    assert result.sheet.read_bytes()[1:4] == b"PNG"
    assert set(result.scores) == {"foundation", "scratch"}
    for score in result.scores.values():
        assert score.n_views == 2 and 0 < score.psnr_db < 60 and -1 <= score.ssim <= 1
    assert {"foundation.encode", "scratch.mesh", "orbit"} <= set(result.seconds)


def test_without_a_truth_and_a_surface_there_are_no_scores_and_no_mesh(
    pipeline, prepared, tmp_path, monkeypatch
):
    def empty(*_, **__):
        raise NoSurface("the field is empty")

    monkeypatch.setattr(pipeline_module, "extract_mesh", empty)
    unseen = replace(prepared, framed=255 - prepared.framed)
    *_, result = stream_views(pipeline, unseen, REQUEST, folder=tmp_path)
    assert result.sheet is None and result.scores == {}
    assert result.meshes == {"foundation": None, "scratch": None}


def test_closing_stops_the_work(pipeline, prepared, tmp_path, monkeypatch):
    marches = []
    march = pipeline_module.march
    monkeypatch.setattr(
        pipeline_module, "march", lambda *a, **k: marches.append(1) or march(*a, **k)
    )
    stream = stream_views(pipeline, prepared, replace(REQUEST, n_frames=40), folder=tmp_path)
    next(update for update in stream if isinstance(update, Chunk))
    stream.close()
    # One chunk of both models, and what was begun of the next.
    assert 2 * REQUEST.chunk_frames <= len(marches) <= 4 * REQUEST.chunk_frames
    assert list(stream) == []


def test_scores_leave_out_the_view_that_was_shown():
    truth = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    wrong_first = truth.copy()
    wrong_first[0] = 0
    scores = score_views(wrong_first, truth)
    assert scores.ssim == pytest.approx(1.0) and scores.n_views == 2
    with pytest.raises(ValueError, match="like the truth's"):
        score_views(truth[:2], truth)
