import json

import pytest

from hyperdemo.results.recorded import read_recorded
from tests.conftest import ROOT

OLD = {
    "splits_file": "train/splits.json",
    "splits": {"test": {"scratch": {"psnr": 1.5}}},
    "models": {"scratch": {"command": "python -m train.run --config view-cpu"}},
    "audio": {"models": {"scratch": {"command": "python -m train.run --config audio-cpu"}}},
    "sweeps": {
        "audio": {
            "runs": {"audio-cpu seed=0": {"seconds": 3.25}},
            "experiments": {"main": {"arms": [{"label": "audio", "runs": ["audio-cpu seed=0"]}]}},
        },
        "view": {"runs": {"view-cpu seed=0": {}}},
    },
}
NEW = {
    "view": {key: OLD[key] for key in ("splits_file", "splits", "models")},
    "sound": OLD["audio"],
    "sweeps": {
        "sound": {
            "runs": {"sound-cpu seed=0": {"seconds": 3.25}},
            "experiments": {"main": {"arms": [{"label": "audio", "runs": ["sound-cpu seed=0"]}]}},
        },
        "view": OLD["sweeps"]["view"],
    },
}


@pytest.mark.parametrize("content", [OLD, NEW])
def test_old_files_and_new_ones_say_the_same(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(content))
    assert read_recorded(path) == NEW


def test_what_is_no_object_is_refused(tmp_path):
    path = tmp_path / "results.json"
    for text in ("[]", "nonsense"):
        path.write_text(text)
        with pytest.raises(ValueError):
            read_recorded(path)
    with pytest.raises(OSError):
        read_recorded(tmp_path / "none.json")


def test_the_shipped_file_is_a_new_one():
    path = ROOT / "weights" / "results.json"
    assert read_recorded(path) == json.loads(path.read_text())
