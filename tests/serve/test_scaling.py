"""The app on Ray Serve: as many replicas as requests ask for, of which some are lost."""

import socket

import httpx
import pytest
from gradio_client import Client, handle_file
from PIL import Image

from tests.conftest import RAY_ROOM
from tests.pipeline.conftest import NAMES, photo

ray = pytest.importorskip("ray", reason="needs Ray: pip install -r requirements-ray.txt")

from hyperdemo.serve import Serving, application  # noqa: E402
from tests.serve.crowd import Crowd, n_replicas, wait_until  # noqa: E402

pytestmark = pytest.mark.timeout(900)  # many processes import torch, and the machine may be busy


@pytest.fixture(scope="module")
def url(ray_runtime, weights):
    """The app, which fills the first node with the page and a replica, and has room for another."""
    from ray import serve

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # One proxy: a port cannot be two machines', where both are this one.
    serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": port})
    args = {
        "weights": str(weights), "examples": str(weights), "device": "cpu", "warm": False,
        "max_replicas": 2, "upscale_delay_s": 0, "downscale_delay_s": 2, "look_back_s": 2,
    }  # fmt: skip
    serve.run(application(args), name="hyperdemo")
    yield f"http://127.0.0.1:{port}"
    serve.shutdown()


@pytest.fixture(scope="module")
def second(url, ray_runtime):
    """Another node, with room for one replica."""
    node = ray_runtime.add_node(num_cpus=1, **RAY_ROOM)
    yield node
    if node in ray_runtime.worker_nodes:
        ray_runtime.remove_node(node)


def test_the_page_answers_through_ray(url, tmp_path):
    Image.fromarray(photo()).save(tmp_path / "box.png")
    client = Client(url, verbose=False, download_files=tmp_path)
    found = client.predict(
        handle_file(tmp_path / "box.png"), None, 16, 0.1, api_name="/photo_to_object"
    )
    assert set(found["files"]) == set(NAMES) and found["result"]["device"] == "CPU, 1 threads"
    assert httpx.get(f"{url}/health").json()["device"] == "Ray"
    assert "Content-Security-Policy" in httpx.get(url).headers  # what guards the app guards it here


def test_replicas_come_with_requests_and_go_without_them(second, weights):
    wait_until(lambda: n_replicas() == 1)
    with Crowd(weights, n=8) as many:
        wait_until(lambda: n_replicas() == 2, timeout_s=300)
    with Crowd(weights, n=1) as few:  # who asks while one of them ends does not notice
        wait_until(lambda: n_replicas() == 1, timeout_s=300)
    assert many.wrong == few.wrong == [] and few.n_answers > 0
    assert many.n_at_home == few.n_at_home == 0


def test_a_replica_and_then_a_machine_are_lost_under_load_and_nobody_notices(
    second, ray_runtime, weights
):
    """More answers are under way than one replica gives, so whichever is lost was answering."""
    crowds = [
        Crowd(weights, n=n, seconds=seconds)
        for n, seconds in ((8, 2.0), (16, 10.0), (8, 2.0), (6, 40.0), (16, 2.0))
    ]
    before, replica, between, machine, after = crowds
    with before:
        wait_until(lambda: n_replicas() == 2)
        before.wait_for_more(32)
    names = replica_names()
    with replica:
        wait_until(lambda: replica.n_under_way > Serving.requests)
        ray.kill(ray.get_actor(min(names), namespace="serve"))
    with between:
        wait_until(lambda: replica_names() - names and n_replicas() == 2)  # another one came
    with machine:
        wait_until(lambda: machine.n_under_way > Serving.requests)
        ray_runtime.remove_node(second, allow_graceful=False)
    with after:
        after.wait_for_more(32)
    assert replica.n_again >= 1, "nobody was asking the replica that was killed"
    assert machine.n_again >= 1, "nobody was asking the replica that was lost"
    assert [crowd.wrong for crowd in crowds] == [[]] * 5
    assert before.n_at_home == replica.n_at_home == between.n_at_home == 0  # none was missed
    assert sum(crowd.n_answers for crowd in crowds) >= 80 > 10 * machine.n_at_home
    assert after.n_at_home == 0


def replica_names():
    """Of those that are alive; a new one is among them when Serve has missed another."""
    names = (one["name"] for one in ray.util.list_named_actors(all_namespaces=True))
    return {name for name in names if "hyperdemo#Replica#" in name}
