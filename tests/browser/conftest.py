"""The app itself, started from the command line."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests import tiny
from tests.conftest import PATIENCE_S, ROOT


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    """The shipped models of objects where there are any, and tiny models that answer fast."""
    from hyperdemo.checkpoints import save_checkpoint

    folder = tmp_path_factory.mktemp("weights")
    shipped = ROOT / "weights"
    for path in (shipped / "evidence", *shipped.glob("view-*")):
        (folder / path.name).symlink_to(path)
    for seed, init in enumerate(("foundation", "scratch")):
        save_checkpoint(tiny.sound_model(seed, init=init), folder, name=f"sound-{init}", facts={})
        if not (folder / f"view-{init}.safetensors").is_file():
            model = tiny.model(seed, init=init)
            with torch.no_grad():
                model.heads.biases[-1][0] = -4.0  # thin air is quick to march through
            save_checkpoint(model, folder, name=f"view-{init}", facts={})
    return folder


@pytest.fixture(scope="module")
def url(weights, ffmpeg, tmp_path_factory) -> Iterator[str]:
    """Address of `python app.py` with these models."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "app.log"
    environment = os.environ | {"HYPERDEMO_WEIGHTS": str(weights), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + PATIENCE_S
        while not answers(address):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except (urllib.error.URLError, TimeoutError):
        return False
    return True
