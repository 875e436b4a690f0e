"""The app as a visitor meets it: started from the command line, seen through a browser."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests import tiny

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 180  # the machine may be busy
PLAYS = """() => [...document.querySelectorAll("#stream video")].some(
    v => v.currentTime > 0.5 && v.videoWidth > 256)"""
VIEW = "document.querySelector('#object-viewer [data-part=viewer]')?.viewer?.state"
CANVAS = "#object-viewer canvas"


def tiny_weights(folder: Path) -> Path:
    """A pair that loads and renders fast; it shows next to nothing."""
    from hyperdemo.checkpoints import save_checkpoint

    for seed, name in enumerate(("view-foundation", "view-scratch")):
        model = tiny.model(seed, init=name.removeprefix("view-"))
        with torch.no_grad():
            model.heads.biases[-1][0] = -4.0  # thin air is quick to march through
        save_checkpoint(model, folder, name=name, facts={})
    return folder


@pytest.fixture(scope="module")
def url(ffmpeg, tmp_path_factory) -> Iterator[str]:
    """Address of `python app.py`, with the shipped weights where there are any."""
    weights = ROOT / "weights"
    if not (weights / "view-foundation.safetensors").is_file():
        weights = tiny_weights(tmp_path_factory.mktemp("weights"))
    yield from served(weights, tmp_path_factory.mktemp("log"))


def served(weights: Path, folder: Path) -> Iterator[str]:
    """Run `python app.py` with these weights; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = folder / "app.log"
    environment = os.environ | {"HYPERDEMO_WEIGHTS": str(weights), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "app.py", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as out:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=out)
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until_it_answers(address, server, log)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=30)


def wait_until_it_answers(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.5)
    raise AssertionError(f"no answer within {PATIENCE_S} s:\n{log.read_text()}")


@pytest.fixture
def photo(tmp_path) -> Path:
    """A red box before a plain wall."""
    pixels = np.full((240, 320, 3), 235, np.uint8)
    pixels[70:180, 90:230] = (200, 60, 40)
    path = tmp_path / "box.jpg"
    Image.fromarray(pixels).save(path, quality=92)
    return path


@pytest.mark.timeout(600)
def test_a_photo_becomes_two_turning_objects(browser, url, photo, tmp_path, artefacts):
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE_S * 1000)
    elsewhere = []
    page.on(
        "request",
        lambda request: (
            elsewhere.append(request.url)
            if request.url.startswith("http") and not request.url.startswith(url)
            else None
        ),
    )
    page.goto(url)
    page.wait_for_function(f"{VIEW}?.ready")  # before any click: an example, made before
    page.locator("#status", has_text="made before").wait_for()
    page.screenshot(path=artefacts / "app-opened.png")
    page.locator("#picture button[aria-label='Remove Image']").click()
    page.locator("#hint").wait_for()
    assert not page.locator("#results").is_visible() and not page.locator(CANVAS).is_visible()
    upload = page.locator("#picture input[type=file]")
    upload.wait_for(state="attached")
    upload.set_input_files(str(photo))
    page.locator("#words", has_text="plain background").wait_for()
    page.locator("#framed img").wait_for()

    page.get_by_text("Settings").first.click()
    page.get_by_label("Panel size").click()
    page.get_by_role("option", name="128").click()
    page.locator("#run").click()
    page.locator("#stop").wait_for()
    page.wait_for_function(PLAYS)  # the stream, while it is rendered
    page.screenshot(path=artefacts / "app-streaming.png")
    page.locator("#status", has_text=re.compile("done in")).wait_for()
    page.wait_for_function(f"{VIEW}?.ready && {VIEW}.nFrames > 0")
    page.locator("#results").wait_for()
    assert page.locator("#run").is_visible() and not page.locator("#stop").is_visible()
    page.screenshot(path=artefacts / "app-done.png", full_page=True)
    assert elsewhere == []

    letter = tmp_path / "letter.png"
    letter.write_text("This is a letter.")
    page.locator("#picture button[aria-label='Remove Image']").click()
    upload.set_input_files(str(letter))
    page.locator(".toast-body", has_text="not one this program knows").wait_for()
    page.locator("#picture button[aria-label='Remove Image']").click()
    upload.set_input_files(str(photo))
    page.locator("#words", has_text="plain background").wait_for()  # the app is still there
    page.close()


@pytest.mark.timeout(900)
def test_a_stop_and_a_new_start_at_any_moment_and_thirty_runs(browser, url):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_S * 1000)
    warnings = []
    page.on("console", lambda said: warnings.append(said.text) if "context" in said.text else None)
    page.goto(f"{url}/?example=blend-swap-cc-0-chair")
    page.locator("#status", has_text="done in").wait_for()  # it runs by itself
    page.get_by_text("Settings").first.click()
    page.get_by_label("Panel size").click()
    page.get_by_role("option", name="128").click()
    for tenths in range(10):
        page.locator("#run").click()
        page.wait_for_timeout(100 * tenths)
        page.locator("#stop").click()
        page.locator("#run").click()
        page.locator("#status", has_text=re.compile("frame .* of")).wait_for()
        page.locator("#stop").click()
        page.locator("#run").wait_for()
    examples = page.locator(".examples button.gallery-item")
    for run in range(30):
        examples.nth(run % 2).click()
        label = ["Barrel", "Chair"][run % 2]
        page.locator("#caption", has_text=re.compile(label, re.IGNORECASE)).wait_for()
        page.wait_for_function(f"{VIEW}.ready && !{VIEW}.lost")
    assert warnings == []
    page.close()
