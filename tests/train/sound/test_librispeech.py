"""LibriSpeech from its folders to a scored pair of models."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from safetensors.torch import save_file

from hyperdemo.backbones.whisper import build_whisper
from tests import tiny
from train import pair
from train.config import SoundData
from train.sound.data import load_sounds, split_ids


def flac(root: Path, split: str, name: str, samples: np.ndarray, *, rate_hz: int = 16_000) -> Path:
    path = root / split / "/".join(name.split("-")[:2]) / f"{name}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz, subtype="PCM_16")
    return path


def data_of(root: Path) -> SoundData:
    return SoundData(format="librispeech", speech_dir=str(root), stretches=8)


def _numbers(config) -> dict:
    values = dataclasses.asdict(config).items()
    return {key: json.dumps(value) for key, value in values if isinstance(value, int | float | str)}


def test_it_is_read_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    made = {
        name: rng.integers(-32768, 32768, n, dtype=np.int16)
        for name, n in (("84-121-0001", 700), ("84-121-0000", 500), ("174-5-0002", 300))
    }
    for name, samples in made.items():
        flac(tmp_path, "train-clean-100", name, samples)
    folder = tmp_path / "train-clean-100" / "84" / "121"
    (folder / "84-121.trans.txt").write_text("84-121-0000 HELLO YOU\n")
    ids = split_ids(data_of(tmp_path), "train")
    assert ids == ["174-5-0002", "84-121-0000", "84-121-0001"]
    sounds = load_sounds(data_of(tmp_path), ids)
    assert sounds.ids == tuple(ids) and sounds.texts == ("", "HELLO YOU", "")
    assert sounds.samples.tolist() == np.concatenate([made[i] for i in ids]).tolist()
    assert load_sounds(data_of(tmp_path), ids[2:]).samples.tolist() == made[ids[2]].tolist()


def test_what_is_not_there_or_no_librispeech_is_refused(tmp_path: Path) -> None:
    data = data_of(tmp_path)
    with pytest.raises(ValueError, match="expected <speaker>/<chapter>/.*test-clean, got none"):
        split_ids(data, "test")
    with pytest.raises(ValueError, match="has the splits train, val, test, not 'unseen'"):
        split_ids(data, "unseen")
    with pytest.raises(ValueError, match="holds no utterance 1-2-9"):
        load_sounds(data, ["1-2-9"])
    path = flac(tmp_path, "test-clean", "1-2-3", np.zeros(100, np.int16), rate_hz=22_050)
    with pytest.raises(ValueError, match=r"mono at 16000 Hz.*1 channel\(s\) at 22050 Hz.*ffmpeg"):
        load_sounds(data, ["1-2-3"])
    flac(tmp_path, "test-clean", "1-2-3", np.zeros((100, 2), np.int16))
    with pytest.raises(ValueError, match=r"got 2 channel\(s\) at 16000 Hz"):
        load_sounds(data, ["1-2-3"])
    path.write_bytes(b"not a sound")
    with pytest.raises(ValueError, match="expected a FLAC file, got .*1-2-3.flac"):
        load_sounds(data, ["1-2-3"])


def test_one_command_trains_and_scores_both_arms_on_it(tmp_path):
    rng = np.random.default_rng(1)
    root = tmp_path / "LibriSpeech"
    for split in ("train-clean-100", "dev-clean", "test-clean"):
        for k in range(2):
            noise = rng.normal(0, 3000, 9600).astype(np.int16)
            flac(root, split, f"{len(split)}-1-{k:04d}", noise)
    mel = dataclasses.replace(tiny.WHISPER, inputs="mel")  # all that a file of Whisper's has
    kept = {k: v.contiguous() for k, v in build_whisper(mel).state_dict().items()}
    save_file(kept, tmp_path / "whisper.safetensors")
    backbone = "\n".join(f"{k} = {v}" for k, v in _numbers(tiny.WHISPER).items())
    field = "\n".join(f"{k} = {v}" for k, v in _numbers(tiny.SOUND).items())
    config = tmp_path / "mine.toml"
    config.write_text(
        f'backbone_file = "{tmp_path / "whisper.safetensors"}"\nsteps = 1\nbatch = 2\nthreads = 1\n'
        f'[data]\nformat = "librispeech"\nspeech_dir = "{root}"\nstretches = 8\n'
        f'[model]\ntask = "sound"\nn_groups = 4\n[model.backbone]\n{backbone}\n'
        f"[model.field]\n{field}\n"
    )
    weights = tmp_path / "weights"
    pair.main([
        str(config), "--weights", str(weights), "--runs", str(tmp_path / "runs"), "--device",
        "cpu", "--answers", "silence", "foundation", "scratch", "nearest",
    ])  # fmt: skip
    found = json.loads((weights / "results.json").read_text())["sound"]
    assert list(found["splits"]) == ["test"]
    scored = found["splits"]["test"]
    assert set(scored) == {"silence", "foundation", "scratch", "nearest"}
    assert [row["prompt"] for row in scored["scratch"]["rows"]] == ["10-1-0000", "10-1-0001"]
    assert found["paired"]["test"]["si_snr"]["prompts"] == 2
    assert found["models"]["scratch"]["training"]["data"]["format"] == "librispeech"
