"""A small crowd before the app itself, on tiny models."""

import pytest

from bench.load import Answer, Crowd, bench_load, told


@pytest.mark.slow
def test_a_crowd_is_answered_each_its_own(folder, ffmpeg):
    crowd = Crowd(n_clients=8, n_requests=10, n_workers=2, size=32, seconds=0.1)
    inputs = [*folder.glob("objects/*/*"), *folder.glob("sounds/*")]
    found = {
        name: row["values"]
        for name, row in bench_load(folder, inputs=inputs, crowd=crowd)["rows"].items()
    }
    assert found["of them answered"] == found["of them told their place"] == [8]
    assert found["of them answered afterwards"] == [10]
    assert found["answers that were another's"] == [0]
    assert max(found["temporary files"]) < 0.1 and max(found["peak memory"]) < 10
    assert found["threads"][-1] <= found["threads"][1] + 2
    assert found["handles"][-1] <= found["handles"][1] + 8


def test_answers_that_were_mixed_up_are_counted(tmp_path):
    own, other = Answer({"scratch": "1"}, True, 2.0), Answer({"scratch": "2"}, False, 3.0)
    a, b = tmp_path / "a", tmp_path / "b"
    held = {"memory": 1.0, "threads": 9, "handles": 20, "temporary files": 0.0}
    found = told(
        {a: own.digests, b: other.digests},
        [(a, own), (b, own)], [(b, other), (a, Answer({}, False, 0.1))], [0.1, 0.3],
        [held, held | {"memory": 1.5}, held | {"memory": 1.75}], 2.0,
    )  # fmt: skip
    values = {name: row["values"] for name, row in found["rows"].items()}
    assert values["answers that were another's"] == [1]
    assert values["of them answered"] == [2] and values["of them told their place"] == [2]
    assert values["of them answered afterwards"] == [1]
    assert values["memory that it grew by"] == [0.25] and values["the page, at the longest"] == [
        0.3
    ]
