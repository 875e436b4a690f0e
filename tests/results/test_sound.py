"""What a request leaves in its folder; the events are made by hand."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import hyperdemo
from hyperdemo.checkpoints import LoadedModel
from hyperdemo.config import SoundRequest
from hyperdemo.events import Done, Heard, Progress, Written
from hyperdemo.inr import WrittenSound, synthesise
from hyperdemo.inr.export_sound import load_sound
from hyperdemo.metrics import log_spectral_distance, si_snr, waveform_psnr
from hyperdemo.pipeline import SoundPipeline
from hyperdemo.preprocess.sound import PreparedSound
from hyperdemo.results import SoundWriter
from hyperdemo.results.files import FORMAT
from tests import tiny

RNG = np.random.default_rng(8)
CLIP_HZ = 22_050
OWN = RNG.uniform(-0.5, 0.5, 4410).astype(np.float32)
HEARD = RNG.uniform(-0.5, 0.5, 3200).astype(np.float32)
PREPARED = PreparedSound(HEARD, OWN, CLIP_HZ, channels_in_file=2, truncated=True)
NAMES = ("foundation", "scratch")
SECONDS = {
    f"{name}.{stage}": s for name in NAMES for stage, s in (("encode", 0.3), ("decode", 0.1))
}
# At 8 kHz; two samples beyond full scale, and three at its edge.
SAMPLES = RNG.uniform(-0.9, 0.9, 1600).astype(np.float32)
SAMPLES[[5, 700, 10, 20, 30]] = [1.5, -1.25, 1.0, -1.0, 0.99999]


@pytest.fixture(scope="module")
def pipeline():
    models = {
        name: LoadedModel(f"sound-{name}", tiny.sound_model(seed, init=name).eval(), {"git": name})
        for seed, name in enumerate(NAMES)
    }
    return SoundPipeline(models, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def networks(pipeline):
    """What the models write for the clip: one window of eight stretches."""
    window = torch.nn.functional.pad(torch.from_numpy(HEARD), (0, 80))[None]
    with torch.inference_mode():
        return {
            name: WrittenSound(tiny.SOUND, loaded.model.write(window), len(OWN), CLIP_HZ)
            for name, loaded in pipeline.models.items()
        }


def take(writer, networks, *, samples=SAMPLES, names=NAMES):
    """All events of a request; returns the parsed result.json."""
    for event in (
        Progress(0.0, "starting"),
        Heard(0, {name: samples[:900] for name in names}),
        Heard(900, {name: samples[900:] for name in names}),
        *(Written(name, networks[name], 0.3) for name in names),
        Done({stage: s for stage, s in SECONDS.items() if stage.split(".")[0] in names}, "CPU"),
    ):
        writer.take(event)
    return json.loads(writer.finish(clip=Path("/somewhere/bell.ogg")).read_text())


@pytest.fixture
def result(tmp_path, pipeline, networks):
    """The folder of one request, and its result.json."""
    out = tmp_path / "a" / "b"
    writer = SoundWriter(out, pipeline, request=SoundRequest(rate_hz=8000), prepared=PREPARED)
    found = take(writer, networks)
    return out, found


def test_all_files_are_there(result):
    folder, _ = result
    files = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    names = ("inr.json", "inr.safetensors", "resynthesis.wav")
    assert files == sorted([*(f"{m}/{n}" for m in NAMES for n in names), "result.json"])


def test_the_files_hold_what_the_events_carried(result, networks):
    folder, _ = result
    for name in NAMES:
        played, rate_hz = soundfile.read(folder / name / "resynthesis.wav", dtype="int16")
        assert rate_hz == 8000 and played.shape == (1600,)
        expected = np.clip(np.rint(SAMPLES * 32768.0), -32768, 32767)
        np.testing.assert_array_equal(played, expected)
        assert soundfile.info(folder / name / "resynthesis.wav").subtype == "PCM_16"
        again = load_sound((folder / name / "inr.safetensors").read_bytes())
        assert torch.equal(again.inrs.masks[1], networks[name].inrs.masks[1])
        assert (again.n_samples, again.rate_hz) == (4410, CLIP_HZ)
        description = json.loads((folder / name / "inr.json").read_text())
        assert description["provenance"] == {"model": f"sound-{name}", "git": name}


def test_result_tells_how_it_was_made(result, networks):
    folder, found = result
    models = found.pop("models")
    assert found == {
        "format": FORMAT,
        "task": "sound",
        "hyperdemo": hyperdemo.__version__,
        "clip": "bell.ogg",
        "duration_s": 0.2,
        "clip_rate_hz": CLIP_HZ,
        "rate_hz": 8000,
        "channels_in_file": 2,
        "truncated": True,
        "quieter_db": 0.0,
        "device": "CPU",
        "seconds": SECONDS,
    }
    assert list(models) == list(NAMES)
    shapes = tiny.SOUND.layer_shapes
    for name, model in models.items():
        metrics = model.pop("metrics")
        assert model == {
            "checkpoint": f"sound-{name}",
            "checkpoint_git": name,
            "networks": 8,
            "written_numbers": 8 * (sum(i * min(4, o) for i, o in shapes) + 1),
            "shared_numbers": sum(i * o + o for i, o in shapes),
            "inr_bytes": (folder / name / "inr.safetensors").stat().st_size,
            "real_time_factor": 0.5,
            "clipped_samples": 2,
        }
        # At 16 kHz, from the networks, though the files are at 8 kHz.
        at_16_khz = synthesise(networks[name], rate_hz=16_000).numpy()
        assert metrics == {
            "psnr_db": pytest.approx(waveform_psnr(at_16_khz, HEARD)),
            "si_snr_db": pytest.approx(si_snr(at_16_khz, HEARD)),
            "lsd_db": pytest.approx(log_spectral_distance(at_16_khz, HEARD)),
            "stoi": None,  # too short
        }
    assert models["foundation"] != models["scratch"]


def test_without_a_rate_it_is_the_clip_s_own(tmp_path, pipeline, networks):
    writer = SoundWriter(tmp_path, pipeline, request=SoundRequest(), prepared=PREPARED)
    found = take(writer, networks, samples=OWN, names=["scratch"])
    assert found["rate_hz"] == CLIP_HZ and list(found["models"]) == ["scratch"]
    assert soundfile.info(tmp_path / "scratch" / "resynthesis.wav").samplerate == CLIP_HZ


def test_a_resynthesis_that_equals_the_clip_leaves_valid_json(tmp_path, pipeline, networks):
    exact = synthesise(networks["scratch"], rate_hz=16_000).numpy()
    prepared = replace(PREPARED, heard=exact)
    writer = SoundWriter(tmp_path, pipeline, request=SoundRequest(), prepared=prepared)
    metrics = take(writer, networks, names=["scratch"])["models"]["scratch"]["metrics"]
    assert metrics["psnr_db"] is None and metrics["lsd_db"] == 0
    text = (tmp_path / "result.json").read_text()
    assert "NaN" not in text and "Infinity" not in text


def test_a_folder_that_cannot_be_made_is_known_at_the_first_sound(tmp_path, pipeline):
    (tmp_path / "taken").write_text("")
    writer = SoundWriter(tmp_path / "taken", pipeline, request=SoundRequest(), prepared=PREPARED)
    with pytest.raises(OSError, match="taken"):
        writer.take(Heard(0, {"scratch": SAMPLES}))
