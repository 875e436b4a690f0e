import socket

import pytest

from hyperdemo.checkpoints import save_checkpoint
from tests import tiny
from tests.pipeline.conftest import NAMES


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """Tiny models of both tasks."""
    folder = tmp_path_factory.mktemp("weights")
    for seed, name in enumerate(NAMES):
        save_checkpoint(tiny.model(seed, init=name), folder, name=f"view-{name}", facts={})
        save_checkpoint(tiny.sound_model(seed, init=name), folder, name=f"sound-{name}", facts={})
    return folder


@pytest.fixture(scope="module")
def served(ray_runtime, weights):
    """Serves the app with some settings; gives its address."""
    from ray import serve

    from hyperdemo.serve import application

    def run(**settings):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        args = {
            "weights": str(weights), "examples": str(weights), "device": "cpu", "warm": False,
            "cpus": 0.5, "page_cpus": 0.5, **settings,
        }  # fmt: skip
        serve.run(application(args), name="hyperdemo")
        return f"http://127.0.0.1:{port}"

    yield run
    serve.shutdown()
