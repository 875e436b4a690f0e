"""The schema itself: it takes what the writers leave (see `test_main`), and it can refuse."""

import copy

import jsonschema
import pytest

from hyperdemo.results.files import FORMAT, write_result
from tests.results.schema import SCHEMA, check_result, read_result

MODEL = {"checkpoint": "view-scratch", "checkpoint_git": "abc", "inr_bytes": 9}
FACTS = {
    "photo": "cup.png",
    "mask_source": "alpha",
    "device": "CPU",
    "renderer": "fast",
    "refine_steps": 0,
    "orbit": {"size": 32, "frames": 4, "fps": 12},
}


@pytest.fixture
def result(tmp_path):
    models = {"scratch": MODEL | {"inr_parameters": 5, "mesh": None}}
    return read_result(write_result(tmp_path, "view", FACTS, seconds={"orbit": 1.0}, models=models))


def test_the_schema_is_one_and_names_the_format_written(result):
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"]["format"]["const"] == result["format"] == FORMAT


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("format",), "hyperdemo-result-0"),
        (("task",), "sound"),
        (("seconds", "orbit"), "1 s"),
        (("models",), {}),
        (("models", "scratch", "mesh"), "other.glb"),
        (("models", "scratch", "inr_bytes"), -1),
        (("orbit", "frames"), 2.5),
    ],
)
def test_the_schema_can_refuse(result, where, value):
    changed = copy.deepcopy(result)
    parent = changed
    for key in where[:-1]:
        parent = parent[key]
    parent[where[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        check_result(changed)
