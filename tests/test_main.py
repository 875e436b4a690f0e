"""The command line on tiny models, in this process; `--help` in one of its own."""

import errno
import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image

from hyperdemo.__main__ import main
from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.inr import synthesise
from hyperdemo.inr.export_sound import load_sound
from hyperdemo.media import audio as audio_module
from hyperdemo.metrics import psnr
from hyperdemo.pipeline import view as view_module
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.mesh import extract_mesh
from tests import tiny
from tests.results.schema import read_result

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module", autouse=True)
def small_grids():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view_module, "bake", partial(bake, resolution=32))
        patch.setattr(view_module, "extract_mesh", partial(extract_mesh, resolution=24))
        yield


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for seed, init in enumerate(("foundation", "scratch")):
        model = tiny.model(seed, init=init)
        save_checkpoint(model, folder, name=f"view-{init}", facts={"git": init})
        model = tiny.sound_model(seed, init=init)
        save_checkpoint(model, folder, name=f"sound-{init}", facts={"git": init})
    return folder


@pytest.fixture
def photo(tmp_path):
    rgba = np.zeros((60, 80, 4), np.uint8)
    rgba[20:40, 20:60] = (200, 90, 40, 255)
    Image.fromarray(rgba).save(tmp_path / "box.png")
    return tmp_path / "box.png"


def runner(command, usual, weights, folder, *always):
    """What runs a command; it returns the exit code, the result and its folder."""

    def run(*options, given=usual, out=folder / "out"):
        args = (command, given, "-o", out, "--weights", weights, "--device", "cpu")
        code = main([str(one) for one in (*args, *always, *options)])
        path = out / "result.json"
        return code, read_result(path) if path.is_file() else None, out

    return run


@pytest.fixture
def view(tmp_path, photo, weights):
    return runner("view", photo, weights, tmp_path, "--size", 32, "--frames", 3)


def chord(seconds=0.6, *, rate_hz=44_100):
    """Two channels [n, 2] of a sound that swells, and differs between them."""
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    left, right = (np.sin(2 * np.pi * hz * t) for hz in (220, 330))
    return 0.3 * np.sin(np.pi * t / seconds)[:, None] * np.stack([left, right], axis=1)


@pytest.fixture
def clip(tmp_path):
    soundfile.write(tmp_path / "chord.wav", chord(), 44_100)
    return tmp_path / "chord.wav"


@pytest.fixture
def sound(tmp_path, clip, weights):
    return runner("sound", clip, weights, tmp_path)


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


@pytest.mark.parametrize("broken", [OSError(errno.ENOSPC, "No space left on device"), ValueError()])
def test_a_run_that_fails_leaves_the_results_of_the_one_before(view, capsys, monkeypatch, broken):
    _, _, out = view("--model", "foundation")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def fails(*args, **kwargs):
        raise broken

    monkeypatch.setattr("hyperdemo.results.view.write_result", fails)
    capsys.readouterr()
    code, _, _ = view("--size", 64)
    assert code == 2 and {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    if isinstance(broken, OSError):
        assert capsys.readouterr().err.startswith("hyperdemo: no room is left on the disk of ")
    assert view(out=out / "result.json")[0] == 2 and "result.json" in capsys.readouterr().err


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
    poses, nowhere = poses_file(tmp_path), tmp_path / "nowhere"
    Image.new("RGB", (32, 20)).save(tmp_path / "001.png")
    for options, given, message in (
        ([], tmp_path / "none.png", "none.png"),
        ([], tmp_path / "text.png", "picture"),
        ([], tmp_path / "empty.png", "expected"),
        (["--poses", tmp_path / "bad.json"], photo, "not in LearnIt format"),
        (["--poses", tmp_path / "none.json"], photo, "no poses file"),
        (["--mask", tmp_path / "small.png"], photo, "mask of the picture's size"),
        (["--size", 33], photo, "even number of pixels"),
        (["--frames", 0], photo, "n_frames"),
        (["--weights", nowhere], photo, "no checkpoint"),
        (["--poses", poses, "--weights", nowhere], photo, "001.png: a square picture expected"),
    ):
        code, result, out = view(*options, given=given)
        printed = capsys.readouterr()
        assert (code, result, printed.out) == (2, None, "")
        assert printed.err.startswith("hyperdemo: ") and message in printed.err
        assert printed.err.count("\n") == 1
        assert not out.exists()


def test_both_models_are_heard_at_the_rate_of_the_clip(sound, capsys):
    code, result, out = sound()
    printed = capsys.readouterr()
    assert code == 0 and printed.out.strip() == str(out / "result.json") and printed.err == ""
    assert list(result["models"]) == ["foundation", "scratch"]
    assert (result["clip"], result["duration_s"], result["truncated"]) == ("chord.wav", 0.6, False)
    assert (result["clip_rate_hz"], result["rate_hz"]) == (44_100, 44_100)
    assert result["channels_in_file"] == 2
    played = {}
    for name, model in result["models"].items():
        played[name], rate_hz = soundfile.read(out / name / "resynthesis.wav", dtype="float32")
        assert rate_hz == 44_100 and played[name].shape == (26_460,) and played[name].std() > 1e-3
        networks = load_sound((out / name / "inr.safetensors").read_bytes())
        exact = synthesise(networks, rate_hz=44_100).clamp(-1, 1).numpy()
        np.testing.assert_allclose(played[name], exact, atol=1.1 / 32768)
        # Three windows of eight stretches: (0.6 s · 16 kHz - 80) / 3200, rounded up.
        assert model["networks"] == len(networks.inrs) == 24
        assert model["checkpoint"] == f"sound-{name}" and model["checkpoint_git"] == name
        assert model["real_time_factor"] > 0 and -1 < model["metrics"]["stoi"] <= 1
        assert all(np.isfinite(list(model["metrics"].values())))
    assert not np.array_equal(played["foundation"], played["scratch"])


@pytest.mark.parametrize(("rate_hz", "n"), [(8_000, 4_800), (48_000, 28_800)])
def test_one_model_is_heard_at_any_rate(sound, rate_hz, n):
    code, result, out = sound("--model", "scratch", "--rate", rate_hz)
    assert code == 0 and list(result["models"]) == ["scratch"]
    assert sorted(p.name for p in out.iterdir() if p.is_dir()) == ["scratch"]
    info = soundfile.info(out / "scratch" / "resynthesis.wav")
    assert (info.samplerate, info.frames, info.channels) == (rate_hz, n, 1)
    assert info.subtype == "PCM_16" and result["rate_hz"] == rate_hz


def test_the_same_clip_makes_the_same_files(sound, tmp_path):
    first, second = (sound("--rate", 8000, out=tmp_path / name)[2] for name in ("a", "b"))
    for file in ("resynthesis.wav", "inr.safetensors", "inr.json"):
        same = (first / "scratch" / file).read_bytes() == (second / "scratch" / file).read_bytes()
        assert same, file


def test_a_cut_clip_is_heard_with_a_warning(sound, capsys, monkeypatch):
    monkeypatch.setattr(audio_module, "DEFAULT_MAX_SECONDS", 0.25)
    code, result, out = sound("--model", "scratch")
    err = capsys.readouterr().err
    assert code == 0 and result["truncated"] and result["duration_s"] == 0.25
    assert soundfile.info(out / "scratch" / "resynthesis.wav").frames == 11_025
    assert err.startswith("hyperdemo: chord.wav is longer than 0") and err.count("\n") == 1


def test_a_clip_beyond_full_scale_is_made_quieter_with_a_warning(sound, tmp_path, capsys):
    soundfile.write(tmp_path / "loud.wav", 5 * chord(), 44_100, subtype="FLOAT")
    code, result, _ = sound("--model", "scratch", given=tmp_path / "loud.wav")
    loudest = 20 * np.log10(5 * np.abs(chord()).max())
    assert code == 0 and result["quieter_db"] == pytest.approx(loudest, abs=1e-3)
    assert capsys.readouterr().err.startswith("hyperdemo: loud.wav goes beyond full scale; it is")


def test_progress_is_shown_on_a_terminal_only(sound, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert sound("--model", "scratch")[0] == 0
    err = capsys.readouterr().err
    assert "\r\033[K 33% writing networks: window 2 of 3" in err and "100%" in err


def test_sound_that_cannot_be_used_ends_with_two_and_a_word(sound, clip, tmp_path, capsys):
    (tmp_path / "text.wav").write_text("no sound at all")
    soundfile.write(tmp_path / "silent.wav", np.zeros(9000), 16_000)
    soundfile.write(tmp_path / "short.wav", chord(0.02), 44_100)
    for options, given, message in (
        ([], tmp_path / "none.wav", "there is none at 'none.wav'"),
        ([], tmp_path, "expected a sound file"),
        ([], tmp_path / "text.wav", "expected sound, got text"),
        ([], tmp_path / "silent.wav", "got silence"),
        ([], tmp_path / "short.wav", "at least 0.05 s of sound"),
        (["--rate", 4000], clip, "rate_hz must be from 8000 to 192000, got 4000"),
        (["--weights", tmp_path / "nowhere"], clip, "no checkpoint"),
    ):
        code, result, out = sound(*options, given=given)
        printed = capsys.readouterr()
        assert (code, result, printed.out) == (2, None, ""), message
        assert printed.err.startswith("hyperdemo: ") and message in printed.err
        assert printed.err.count("\n") == 1
        assert not out.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_ends_with_two(sound, capsys):
    code, *_ = sound("--device", "cuda")
    assert code == 2 and "torch sees no GPU" in capsys.readouterr().err


def test_ctrl_c_ends_in_one_line(sound, capsys, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("hyperdemo.pipeline.SoundPipeline.listen", interrupted)
    code, *_ = sound()
    assert code == 130 and capsys.readouterr().err == "hyperdemo: interrupted\n"


def test_options_it_does_not_know_are_refused(capsys):
    for argv in (
        [],
        ["hear", "x"],
        ["view", "x"],
        ["view", "x", "-o", "y", "--model", "best"],
        ["view", "x", "-o", "y", "--rate", "8000"],
        ["sound", "x", "-o", "y", "--rate", "high"],
    ):
        with pytest.raises(SystemExit) as left:
            main(argv)
        assert left.value.code == 2 and "usage: python -m hyperdemo" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "word"),
    [("view", "transforms.json"), ("sound", "--rate HZ"), ("audio", "--rate HZ")],
)
def test_help_needs_no_torch(command, word):
    blocked = "import sys, runpy; sys.modules['torch'] = sys.modules['numpy'] = None; "
    run = f"sys.argv = ['', {command!r}, '--help']; runpy.run_module('hyperdemo', None, '__main__')"
    done = subprocess.run(
        [sys.executable, "-c", blocked + run], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and word in done.stdout, done.stderr
