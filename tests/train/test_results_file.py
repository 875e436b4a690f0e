import json
import multiprocessing

import pytest

from train.results_file import update


def count_up(path, times):
    for _ in range(times):
        update(path, lambda results: results.update(n=results.get("n", 0) + 1))


def test_what_is_there_stays(tmp_path):
    path = tmp_path / "new" / "results.json"
    update(path, lambda results: results.update(a=1))
    update(path, lambda results: results.update(b=[2]))
    assert json.loads(path.read_text()) == {"a": 1, "b": [2]}
    assert path.read_text().endswith("}\n")


def test_two_processes_at_once_lose_nothing(tmp_path):
    path = tmp_path / "results.json"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=count_up, args=(path, 50)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert json.loads(path.read_text()) == {"n": 100}


def test_what_json_does_not_know_leaves_the_file_alone(tmp_path):
    path = tmp_path / "results.json"
    update(path, lambda results: results.update(a=1))
    with pytest.raises(ValueError, match="not JSON compliant"):
        update(path, lambda results: results.update(a=float("nan")))
    with pytest.raises(KeyError):
        update(path, lambda results: results.pop("b"))
    assert json.loads(path.read_text()) == {"a": 1}
