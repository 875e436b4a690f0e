"""What a request leaves in its folder; the events are made by hand."""

import json
import weakref
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

import hyperdemo
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import ViewRequest
from hyperdemo.events import Compared, Done, Encoded, Frames, MeshReady, Progress, Views
from hyperdemo.inr.export import load_inr
from hyperdemo.metrics import psnr, ssim
from hyperdemo.pipeline import ViewPipeline
from hyperdemo.render.cameras import PosedViews
from hyperdemo.results import ViewWriter, check_truths, score_view
from tests import tiny
from tests.results.schema import read_result

REQUEST = ViewRequest(size=32, n_frames=4, fps=12)
RNG = np.random.default_rng(6)
ORBIT = np.repeat(np.linspace(0, 250, 4).astype(np.uint8), 32 * 32 * 3).reshape(4, 32, 32, 3)
SHOWN = RNG.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def pipeline():
    model = LoadedModel("view-foundation", tiny.model().requires_grad_(False), {"git": "abc"})
    return ViewPipeline({"foundation": model}, device=torch.device("cpu"))


def truths(folder):
    """Ground truth for the first and the last of three poses: RGBA, the last one larger."""
    first = np.dstack([np.clip(SHOWN[0].astype(int) + 20, 0, 255), np.full((32, 32), 255)])
    last = np.zeros((64, 64, 4))
    last[10:50, 10:50] = (200, 100, 0, 128)
    for name, picture in (("first", first), ("last", last)):
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{name}.png")
    return PosedViews(
        np.stack([np.eye(4, dtype=np.float32)] * 3),
        40.0,
        (folder / "first.png", None, folder / "last.png"),
    )


@pytest.fixture
def written(tmp_path, pipeline):
    """The folder of one request, and its result.json."""
    poses = truths(tmp_path)
    writer = ViewWriter(tmp_path / "a" / "b", pipeline, request=REQUEST, poses=poses)
    for event in (
        Progress(0.0, "starting"),
        Encoded("foundation", tiny.params(), 0.5),
        Frames(0, {"foundation": ORBIT[:3]}, {"foundation": ORBIT[:3]}),
        Frames(3, {"foundation": ORBIT[3:]}, {"foundation": ORBIT[3:]}),
        Views("foundation", 0, SHOWN[:2]),
        Views("foundation", 2, SHOWN[2:]),
        MeshReady("foundation", b"glTF and so on"),
        Done({"foundation.encode": 0.512345, "orbit": 2.0}, "CPU"),
    ):
        writer.take(event)
    path = writer.finish(photo=Path("/somewhere/cup.png"), mask_source="alpha")
    assert path == tmp_path / "a" / "b" / "result.json"
    return path.parent, json.loads(path.read_text())


def test_all_files_are_there(written):
    folder, _ = written
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    views = [f"foundation/views/{index:03d}.png" for index in range(3)]
    names = ("inr.json", "inr.safetensors", "mesh.glb", "orbit.mp4")
    assert files == sorted([*(f"foundation/{n}" for n in names), *views, "result.json"])


def test_the_files_hold_what_the_events_carried(written):
    folder, _ = written
    params, config = load_inr((folder / "foundation" / "inr.safetensors").read_bytes())
    assert config == tiny.FIELD
    torch.testing.assert_close(params.weights[1], tiny.params().weights[1])
    description = json.loads((folder / "foundation" / "inr.json").read_text())
    assert description["provenance"] == {"model": "view-foundation", "git": "abc"}
    assert (folder / "foundation" / "mesh.glb").read_bytes() == b"glTF and so on"
    for index in range(3):
        saved = np.asarray(Image.open(folder / "foundation" / "views" / f"{index:03d}.png"))
        np.testing.assert_array_equal(saved, SHOWN[index])
    with av.open(str(folder / "foundation" / "orbit.mp4")) as video:
        frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
        assert video.streams.video[0].average_rate == 12
    assert len(frames) == 4 and frames[0].shape == (32, 32, 3)
    np.testing.assert_allclose([f.mean() for f in frames], ORBIT.mean((1, 2, 3)), atol=6)


def test_the_result_says_what_was_done(written):
    _, result = written
    assert result["hyperdemo"] == hyperdemo.__version__
    assert result["photo"] == "cup.png" and result["mask_source"] == "alpha"
    assert "CPU" in result["device"] and result["renderer"] == "fast"
    assert result["orbit"] == {"size": 32, "frames": 4, "fps": 12}
    assert result["seconds"] == {"foundation.encode": 0.5123, "orbit": 2.0}
    model = result["models"]["foundation"]
    assert model["checkpoint"] == "view-foundation" and model["checkpoint_git"] == "abc"
    assert model["inr_parameters"] == 27 * 16 + 16 + 16 * 16 + 16 + 16 * 4 + 4
    assert model["mesh"] == "mesh.glb" and model["views"] == 3


def test_the_result_says_what_is_nearest_where_that_is_known(pipeline, written, tmp_path):
    assert "nearest_known" not in written[1]
    writer = ViewWriter(tmp_path / "c", pipeline, request=REQUEST)
    for event in (
        Encoded("foundation", tiny.params(), 0.1),
        Compared("birch", "plant", b"a picture", 0.25, True, 3147),
        MeshReady("foundation", None),
        Done({}, "CPU"),
    ):
        writer.take(event)
    result = read_result(writer.finish(photo=Path("cup.png"), mask_source="alpha"))
    assert result["nearest_known"] == {
        "name": "birch", "class": "plant", "distance": 0.25, "far": True, "objects": 3147,
    }  # fmt: skip


def test_metrics_are_those_of_the_files(written):
    folder, result = written
    metrics = result["models"]["foundation"]["metrics"]
    assert [row["view"] for row in metrics["views"]] == [0, 2]
    first = np.asarray(Image.open(folder.parents[1] / "first.png"))[..., :3]
    assert metrics["views"][0]["psnr"] == pytest.approx(psnr(SHOWN[0], first), abs=1e-4)
    assert metrics["views"][0]["ssim"] == pytest.approx(ssim(SHOWN[0], first), abs=1e-5)
    for name in ("psnr", "ssim"):
        mean = sum(row[name] for row in metrics["views"]) / 2
        assert metrics[name] == pytest.approx(mean)


def test_a_broken_truth_is_named(tmp_path):
    poses = truths(tmp_path)
    check_truths(poses)
    (tmp_path / "last.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"last\.png: expected a picture"):
        check_truths(poses)


def test_a_truth_of_another_size_is_averaged_over_white():
    truth = np.zeros((4 * 16, 4 * 16, 4), np.uint8)
    truth[:, 32:] = (255, 0, 0, 128)  # half-transparent red, on white
    expected = np.ones((16, 16, 3))
    expected[:, 8:] = [1.0, 1 - 128 / 255, 1 - 128 / 255]
    assert score_view((255 * expected + 0.5).astype(np.uint8), truth)["psnr"] > 50
    small = np.zeros((16, 16, 4), np.uint8)
    small[:, 8:] = (255, 0, 0, 128)
    large = np.rint(255 * expected.repeat(4, 0).repeat(4, 1)).astype(np.uint8)
    assert score_view(large, small)["psnr"] > 20  # enlarged: the edge is soft


def test_without_ground_truth_there_are_no_metrics(tmp_path, pipeline):
    poses = PosedViews(np.eye(4, dtype=np.float32)[None], 40.0, (None,))
    writer = ViewWriter(tmp_path, pipeline, request=REQUEST, poses=poses)
    writer.take(Encoded("foundation", tiny.params(), 0.5))
    writer.take(Views("foundation", 0, SHOWN[:1]))
    writer.take(MeshReady("foundation", None))
    result = json.loads(writer.finish(photo=Path("x.png"), mask_source="edited").read_text())
    model = result["models"]["foundation"]
    assert "metrics" not in model and model["views"] == 1 and model["mesh"] is None
    assert not (tmp_path / "foundation" / "mesh.glb").exists()


def test_frames_are_encoded_as_they_come(tmp_path, pipeline):
    """However many frames there are, none is kept once it is written."""
    writer = ViewWriter(tmp_path, pipeline, request=REQUEST)
    writer.take(Encoded("foundation", tiny.params(), 0.5))
    for start in range(0, 64, 4):
        rgb = RNG.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
        alive = weakref.ref(rgb)
        writer.take(Frames(start, {"foundation": rgb}, {"foundation": rgb}))
        del rgb
        assert alive() is None
    writer.finish(photo=Path("x.png"), mask_source="edited")
    with av.open(str(tmp_path / "foundation" / "orbit.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 64


def test_what_goes_wrong_leaves_no_half_of_an_orbit(tmp_path, pipeline):
    with pytest.raises(KeyError), ViewWriter(tmp_path, pipeline, request=REQUEST) as writer:
        writer.take(Encoded("foundation", tiny.params(), 0.5))
        writer.take(Frames(0, {"foundation": ORBIT}, {"foundation": ORBIT}))
        raise KeyError
    assert not (tmp_path / "foundation" / "orbit.mp4").exists()


def test_the_view_that_was_shown_is_not_averaged(tmp_path, pipeline):
    poses = truths(tmp_path)
    writer = ViewWriter(tmp_path, pipeline, request=REQUEST, poses=poses)
    writer.take(Encoded("foundation", tiny.params(), 0.5))
    writer.take(Views("foundation", 0, SHOWN))
    photo = tmp_path / "photo.png"
    photo.write_bytes((tmp_path / "first.png").read_bytes())
    result = json.loads(writer.finish(photo=photo, mask_source="alpha").read_text())
    metrics = result["models"]["foundation"]["metrics"]
    assert [(row["view"], row["shown"]) for row in metrics["views"]] == [(0, True), (2, False)]
    assert metrics["psnr"] == metrics["views"][1]["psnr"]
    assert metrics["ssim"] == metrics["views"][1]["ssim"]


def test_a_view_that_equals_its_truth_leaves_valid_json(tmp_path, pipeline):
    Image.fromarray(SHOWN[0]).save(tmp_path / "same.png")
    poses = PosedViews(np.eye(4, dtype=np.float32)[None], 40.0, (tmp_path / "same.png",))
    writer = ViewWriter(tmp_path, pipeline, request=REQUEST, poses=poses)
    writer.take(Encoded("foundation", tiny.params(), 0.5))
    writer.take(Views("foundation", 0, SHOWN[:1]))
    text = writer.finish(photo=Path("x.png"), mask_source="edited").read_text()
    assert "Infinity" not in text
    metrics = json.loads(text)["models"]["foundation"]["metrics"]
    assert metrics["psnr"] is None and metrics["views"][0]["ssim"] == pytest.approx(1.0)
