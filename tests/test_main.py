"""The command line on two tiny models, in this process; `--help` in one of its own."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hyperdemo import pipeline as pipeline_module
from hyperdemo.__main__ import main
from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.metrics import psnr
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.mesh import extract_mesh
from tests import tiny

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def small_grids():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline_module, "bake", partial(bake, resolution=32))
        patch.setattr(pipeline_module, "extract_mesh", partial(extract_mesh, resolution=24))
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for seed, init in enumerate(("foundation", "scratch")):
        model = tiny.model(seed, init=init)
        save_checkpoint(model, folder, name=f"view-{init}", facts={"git": init})
    return folder


@pytest.fixture
def photo(tmp_path):
    rgba = np.zeros((60, 80, 4), np.uint8)
    rgba[20:40, 20:60] = (200, 90, 40, 255)
    Image.fromarray(rgba).save(tmp_path / "box.png")
    return tmp_path / "box.png"


@pytest.fixture
def view(tmp_path, photo, weights):
    """Run the command; returns its exit code, its result and its folder."""

    def run(*options, photo=photo, out=tmp_path / "out"):
        command = ["view", str(photo), "-o", str(out), "--weights", str(weights), "--device", "cpu"]
        code = main([*command, "--size", "32", "--frames", "3", *map(str, options)])
        path = out / "result.json"
        return code, json.loads(path.read_text()) if path.is_file() else None, out

    return run


def poses_file(folder):
    """Two LearnIt poses; the first has a picture."""
    frames = [
        {"file_path": f"./{k:03d}", "transform_matrix": look_at_origin(90.0 * k, 5.0).tolist()}
        for k in range(2)
    ]
    (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": 0.698, "frames": frames}))
    truth = np.full((32, 32, 4), 255, np.uint8)
    truth[8:24, 8:24, :3] = (90, 60, 30)
    Image.fromarray(truth).save(folder / "000.png")
    return folder / "transforms.json"


def test_both_models_are_shown(view, capsys):
    code, result, out = view()
    assert code == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(out / "result.json") and printed.err == ""
    assert list(result["models"]) == ["foundation", "scratch"]
    assert result["photo"] == "box.png" and result["orbit"]["frames"] == 3
    for name in result["models"]:
        assert {p.name for p in (out / name).iterdir()} >= {"inr.safetensors", "orbit.mp4"}
        assert result["models"][name]["checkpoint_git"] == name


@pytest.mark.parametrize("model", ["foundation", "scratch"])
def test_one_model_is_shown(view, model):
    code, result, out = view("--model", model, "--renderer", "exact")
    assert code == 0 and list(result["models"]) == [model] and result["renderer"] == "exact"
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == [model]


def test_poses_are_rendered_and_scored(view, tmp_path):
    (tmp_path / "truth").mkdir()
    code, result, out = view("--poses", poses_file(tmp_path / "truth"), "--renderer", "exact")
    assert code == 0
    truth = np.asarray(Image.open(tmp_path / "truth" / "000.png"))[..., :3]
    for name, model in result["models"].items():
        views = [np.asarray(Image.open(out / name / "views" / f"{k:03d}.png")) for k in range(2)]
        assert views[0].shape == (32, 32, 3) and not np.array_equal(*views)
        assert [row["view"] for row in model["metrics"]["views"]] == [0]
        assert model["metrics"]["psnr"] == pytest.approx(psnr(views[0], truth), abs=1e-4)


def test_a_mask_is_taken(view, photo, tmp_path):
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 20:35] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    _, found, out = view("--model", "scratch")
    before = (out / "scratch" / "inr.safetensors").read_bytes()
    code, result, _ = view("--model", "scratch", "--mask", tmp_path / "mask.png")
    assert code == 0
    assert found["mask_source"] == "alpha" and result["mask_source"] == "edited"
    assert (out / "scratch" / "inr.safetensors").read_bytes() != before


def test_what_cannot_be_used_ends_with_two_and_a_word(view, photo, tmp_path, capsys):
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "bad.json").write_text("{}")
    Image.new("RGBA", (40, 40)).save(tmp_path / "empty.png")
    Image.new("L", (30, 30), 255).save(tmp_path / "small.png")
    for options, photo_given, message in (
        ([], tmp_path / "none.png", "none.png"),
        ([], tmp_path / "text.png", "picture"),
        ([], tmp_path / "empty.png", "expected"),
        (["--poses", tmp_path / "bad.json"], photo, "not in LearnIt format"),
        (["--poses", tmp_path / "none.json"], photo, "no poses file"),
        (["--mask", tmp_path / "small.png"], photo, "mask of the picture's size"),
        (["--size", 33], photo, "even number of pixels"),
        (["--frames", 0], photo, "n_frames"),
        (["--weights", tmp_path / "nowhere"], photo, "no checkpoint"),
    ):
        code, result, out = view(*options, photo=photo_given)
        printed = capsys.readouterr()
        assert (code, result, printed.out) == (2, None, "")
        assert printed.err.startswith("hyperdemo: ") and message in printed.err
        assert printed.err.count("\n") == 1
        assert not out.exists()


def test_an_output_folder_that_is_a_file_ends_with_two(view, tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    code, *_ = view(out=tmp_path / "taken")
    assert code == 2 and "taken" in capsys.readouterr().err


def test_options_it_does_not_know_are_refused(capsys):
    for argv in ([], ["hear", "x"], ["view", "x"], ["view", "x", "-o", "y", "--model", "best"]):
        with pytest.raises(SystemExit) as left:
            main(argv)
        assert left.value.code == 2 and "usage: python -m hyperdemo" in capsys.readouterr().err


def test_help_needs_no_torch():
    blocked = "import sys, runpy; sys.modules['torch'] = sys.modules['numpy'] = None; "
    run = "sys.argv = ['', 'view', '--help']; runpy.run_module('hyperdemo', None, '__main__')"
    done = subprocess.run(
        [sys.executable, "-c", blocked + run], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and "transforms.json" in done.stdout, done.stderr
