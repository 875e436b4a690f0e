"""The app itself, started from the command line, and the page with tiny models in this process.

What takes long to start is there once for all files: a browser's context, in which Gradio's scripts
stay fetched and compiled from one page to the next, and the server with tiny models.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soundfile
import torch

from tests import tiny
from tests.conftest import PATIENCE_S, ROOT
from tests.ui.conftest import chirp, models, write_object

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext


@pytest.fixture(scope="session")
def context(browser) -> Iterator[BrowserContext]:
    """For all pages; none of them keeps anything in it but what it fetches."""
    with browser.new_context() as context:
        yield context


@contextmanager
def tiny_app() -> Iterator[None]:
    """While the app of `served_tiny` answers: small grids, and what its page opens with."""
    from hyperdemo.pipeline import view
    from hyperdemo.render.mesh import extract_mesh
    from hyperdemo.ui.object import callbacks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(view, "GRID", 32)
        patch.setattr(view, "extract_mesh", partial(extract_mesh, resolution=24))
        patch.setattr(callbacks, "OPENING", "box")
        yield


@pytest.fixture(scope="session")
def served_tiny(tmp_path_factory) -> Iterator[str]:
    """The whole app with tiny models, an example object that it opens with, another, and a sound.

    To be asked within `tiny_app` alone, which other tests of this process must not run in.
    """
    from hyperdemo.pipeline import SoundPipeline, ViewPipeline
    from hyperdemo.ui.app import build_app, launch_options
    from tests.pipeline.conftest import CPU

    folder = tmp_path_factory.mktemp("examples")
    brown = np.zeros((60, 80, 4), np.uint8)
    brown[20:40, 20:60] = (200, 90, 40, 255)
    write_object(folder / "objects" / "box", brown)
    write_object(folder / "objects" / "tall-box", np.rot90(brown))
    (folder / "sounds").mkdir()
    soundfile.write(folder / "sounds" / "chirp.wav", chirp(seconds=1.5), 22_050)
    objects, sounds = models("view", tiny.model), models("sound", tiny.sound_model)
    pipeline, sound = ViewPipeline(objects, device=CPU), SoundPipeline(sounds, device=CPU)
    with tiny_app():
        demo = build_app(
            pipeline, sound=sound, examples=folder, weights=ROOT / "weights", warm=True
        )
    options = launch_options(pipeline, sound)
    yield demo.launch(prevent_thread_lock=True, quiet=True, **options)[1]
    demo.close()


@pytest.fixture(scope="module")
def tiny_url(served_tiny) -> Iterator[str]:
    """Address of the app with tiny models."""
    with tiny_app():
        yield served_tiny


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
