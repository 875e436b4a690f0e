"""A server that is told to end, as a queue and as a process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing, suppress

import httpx
import pytest

from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.ui import ending
from hyperdemo.ui.turns import ENDING
from tests import tiny
from tests.conftest import ROOT
from tests.ui.test_abandoned import submit
from tests.ui.test_turns import Served, until


@pytest.fixture
def served(monkeypatch):
    monkeypatch.setattr(ending, "FINISH_S", 0.0)
    served = Served()
    yield served
    served.close()


def told(served, session):
    return served.http.get(f"/gradio_api/queue/data?session_hash={session}").text


def test_who_waits_or_comes_is_refused_and_what_runs_may_finish(served, monkeypatch):
    monkeypatch.setattr(ending, "FINISH_S", 120.0)
    for session in ("runs", "waits"):
        assert served.join(session, session) == 200
        assert until(lambda: served.began)
    running = threading.Thread(target=ending.end, args=[served.demo])
    running.start()
    try:
        assert ENDING in told(served, "waits")
        assert served.join("comes", "comes") == 503
        served.free.set()
        answer = told(served, "runs")
        assert '"success":true' in answer and ENDING not in answer
    finally:
        served.free.set()
        running.join()
    assert served.began == ["runs"] and served.demo._queue.stopped


def test_what_does_not_finish_in_time_is_refused_too(served):
    assert served.join("runs", "runs") == 200
    assert until(lambda: served.began)
    running = threading.Thread(target=ending.end, args=[served.demo])
    running.start()
    try:
        assert ENDING in told(served, "runs")
    finally:
        running.join()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    for seed, name in enumerate(("foundation", "scratch")):
        save_checkpoint(tiny.model(seed, init=name), folder, name=f"view-{name}", facts={})
    return folder


def started(weights, temporary):
    """The app in a process of its own, and its address once it answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    shutil.copy(ROOT / "app.py", weights)  # where no examples are, none is answered at start
    own = {"TMPDIR": str(temporary), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    app = subprocess.Popen(
        [sys.executable, "app.py", "--weights", str(weights), "--port", str(port)],
        cwd=weights, env=os.environ | own,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"

    def answers():
        with suppress(httpx.TransportError):
            return httpx.get(f"{url}/health", timeout=60).json()["ready"]

    assert until(lambda: answers() or app.poll() is not None, seconds=240), app.communicate()
    return app, url


@pytest.mark.slow
@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_computes_ends_without_a_trace(weights, picture, tmp_path, ffmpeg, name):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    app, url = started(weights, temporary)
    try:
        session = submit(url, picture)
        with httpx.stream(
            "GET", f"{url}/gradio_api/queue/data?session_hash={session}", timeout=120
        ) as stream:
            next(line for line in stream.iter_lines() if "process_starts" in line)
            app.send_signal(name)
            said = app.communicate(timeout=120)[0]
        assert app.returncode == 0
        for word in ("Traceback", "terminate called", "Fatal", "leaked"):
            assert word not in said, said
        assert list(temporary.iterdir()) == []
    finally:
        app.kill()
        app.wait()
