"""As many replicas as requests ask for."""

import dataclasses

import pytest

pytest.importorskip("ray", reason="needs Ray: pip install -r requirements-ray.txt")

from hyperdemo.serve import Serving  # noqa: E402
from hyperdemo.serve.__main__ import parse_arguments  # noqa: E402
from tests.serve.crowd import Crowd, n_replicas, wait_until  # noqa: E402


@pytest.mark.timeout(600)  # Ray averages requests over half a minute
def test_replicas_come_with_requests_and_go_without_them(served, weights):
    served(max_replicas=2, requests=2, upscale_delay_s=0, downscale_delay_s=1)
    assert n_replicas() == 1
    with Crowd(weights, n=4) as many:
        wait_until(lambda: n_replicas() == 2, timeout_s=300)
    with Crowd(weights, n=1) as few:  # who asks while one of them ends does not notice
        wait_until(lambda: n_replicas() == 1, timeout_s=300)
    assert many.wrong == few.wrong == [] and few.n_answers > 0
    assert many.n_at_home == few.n_at_home == 0


def test_the_command_line_sets_what_there_is_to_set():
    settings = vars(parse_arguments(["--min-replicas", "2", "--max-replicas", "8",
                                     "--downscale-delay-s", "60", "--gpus", "0.5"]))  # fmt: skip
    assert {settings.pop(name) for name in ("host", "port", "address")} == {"127.0.0.1", 7860, None}
    assert Serving.from_dict(settings) == Serving(
        min_replicas=2, max_replicas=8, downscale_delay_s=60.0, gpus=0.5
    )
    left = {field.name for field in dataclasses.fields(Serving)} - set(settings)
    assert left == {"examples", "batch_wait_s", "warm"}
