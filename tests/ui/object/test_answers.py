from pathlib import Path

import pytest

from hyperdemo.ui.object.answers import KeptAnswers
from hyperdemo.ui.object.stream import Result

NAMES = ("orbit.mp4", "a.glb", "a.zip", "a.volume", "truth.png")


@pytest.fixture
def result(tmp_path: Path) -> Result:
    for name in NAMES:
        (tmp_path / name).write_text(name)
    orbit, mesh, network, volume, sheet = (tmp_path / name for name in NAMES)
    return Result(
        orbit, {"a": mesh, "b": None}, {"a": network}, {"a": 7}, {"orbit": 1.5}, "CPU", sheet,
        volumes={"a": volume},
    )  # fmt: skip


def test_a_result_outlives_the_files_of_its_run(result, tmp_path):
    answers = KeptAnswers(frozenset({"one"}))
    assert answers.find("one") is None
    answers.keep("one", result)
    for name in NAMES:
        (tmp_path / name).unlink()
    kept = answers.find("one")
    assert kept.seconds == {"orbit": 1.5} and kept.n_parameters == {"a": 7}
    assert kept.meshes["b"] is None
    files = (kept.orbit, kept.meshes["a"], kept.networks["a"], kept.volumes["a"], kept.sheet)
    assert tuple(path.read_text() for path in files) == NAMES


def test_only_examples_are_kept_and_only_their_first_result(result, tmp_path):
    answers = KeptAnswers(frozenset({"one"}))
    answers.keep("a visitor's own", result)
    assert answers.find("a visitor's own") is None
    answers.keep("one", result)
    first = answers.find("one")
    (tmp_path / "orbit.mp4").write_text("another")
    answers.keep("one", result)
    assert answers.find("one") is first and first.orbit.read_text() == "orbit.mp4"
