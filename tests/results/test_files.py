"""The schema itself: it takes what the writers leave (see `test_main`), and it can refuse."""

import copy

import jsonschema
import pytest

from hyperdemo.results.files import FORMAT, swapped_in, write_result
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


def results_in(folder):
    """Every file, by its path, with what it holds."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def write(folder, *models, says):
    for name in models:
        (folder / name).mkdir()
        (folder / name / "mesh.glb").write_text(says)
    (folder / "result.json").write_text(says)


def test_results_replace_others_only_once_they_are_whole(tmp_path):
    out = tmp_path / "a" / "out"
    with swapped_in(out, ["foundation", "scratch"]) as folder:
        write(folder, "foundation", "scratch", says="first")
    (out / "notes.txt").write_text("mine")
    before = results_in(out)
    assert before["scratch/mesh.glb"] == "first"
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), swapped_in(out, ["foundation", "scratch"]) as folder:
            write(folder, "foundation", says="second")
            raise error
        assert results_in(out) == before
    with swapped_in(out, ["foundation", "scratch"]) as folder:
        write(folder, "foundation", says="third")
    expected = {"foundation/mesh.glb": "third", "result.json": "third", "notes.txt": "mine"}
    assert results_in(out) == expected and len(list(out.iterdir())) == 3


def test_a_folder_made_for_nothing_goes_again(tmp_path):
    with pytest.raises(ValueError), swapped_in(tmp_path / "out", []):
        raise ValueError
    assert list(tmp_path.iterdir()) == []


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
