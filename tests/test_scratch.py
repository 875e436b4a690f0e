"""Temporary files of a server that ends, is told to, or is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

SERVER = """
import signal, sys, tempfile, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in jobs in the background
from hyperdemo.scratch import own_scratch
own_scratch()
from gradio.mcp import DEFAULT_TEMP_DIR
from gradio.processing_utils import save_base64_to_cache
save_base64_to_cache("data:text/plain;base64,AAAA", DEFAULT_TEMP_DIR)  # an assistant's file
open(tempfile.mkdtemp() + "/upload", "w").close()
print(tempfile.gettempdir(), flush=True)
time.sleep(float(sys.argv[1]))
"""


def start(folder, seconds: float) -> subprocess.Popen:
    environment = os.environ | {"TMPDIR": str(folder)}
    command = [sys.executable, "-c", SERVER, str(seconds)]
    server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    server.folder = Path(server.stdout.readline().strip())
    return server


@pytest.mark.parametrize("end", [None, signal.SIGTERM, signal.SIGINT])
def test_nothing_is_left_of_one_that_ends(tmp_path, end):
    server = start(tmp_path, 0.0 if end is None else 600.0)
    if end is not None:
        assert len(list(tmp_path.glob("hyperdemo-server-*/*/upload"))) == 1
        server.send_signal(end)
    server.wait(timeout=30)
    assert list(tmp_path.iterdir()) == []


def test_what_was_left_of_one_that_was_killed_goes_with_the_next(tmp_path):
    killed, other = start(tmp_path, 600.0), start(tmp_path, 600.0)
    killed.kill()
    killed.wait(timeout=30)
    assert len(list(tmp_path.iterdir())) == 2
    start(tmp_path, 0.0).wait(timeout=30)
    assert list(tmp_path.iterdir()) == [other.folder]  # it still runs
    other.terminate()
    other.wait(timeout=30)
