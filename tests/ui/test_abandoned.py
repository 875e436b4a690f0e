"""A visitor who leaves, or stops, while the orbit is being rendered, through the real server."""

import secrets
import tempfile
import time
from functools import partial
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file

from hyperdemo.pipeline import view as pipeline_module
from hyperdemo.ui import build_app, launch_options

PATIENCE_S = 60.0  # of a busy machine
SECONDS = 10  # of orbit: far more than is rendered before the visitor goes
ALL_FRAMES = 2 * SECONDS * 24
CHUNK = 2 * 24  # frames of both models between two updates


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Where requests keep their files."""
    folder = tmp_path / "temp"
    folder.mkdir()
    own = partial(tempfile.TemporaryDirectory, dir=folder)
    monkeypatch.setattr("tempfile.TemporaryDirectory", own)
    return folder


@pytest.fixture
def server(pipeline, tmp_path, ffmpeg, monkeypatch):
    """The address of a running app, and the frames that it has rendered."""
    frames = []
    march = pipeline_module.march

    def slow(*args, **kwargs):
        frames.append(1)
        time.sleep(0.01)
        return march(*args, **kwargs)

    monkeypatch.setattr(pipeline_module, "march", slow)
    demo = build_app(pipeline, examples=tmp_path / "none", weights=tmp_path)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(pipeline))
    try:
        yield url.rstrip("/"), frames
    finally:
        demo.close()


def submit(url, picture):
    """Ask for an orbit as a browser does; returns the visitor's session."""
    functions = httpx.get(f"{url}/config", timeout=PATIENCE_S).json()["dependencies"]
    (number,) = [one["id"] for one in functions if one.get("api_name") == "generate"]
    path = Path(picture)
    upload = httpx.post(
        f"{url}/gradio_api/upload",
        files={"files": (path.name, path.read_bytes())},
        timeout=PATIENCE_S,
    )
    file = {"path": upload.json()[0], "meta": {"_type": "gradio.FileData"}}
    session = secrets.token_hex(5)
    body = {"data": [file, None, 128, SECONDS, 20, None, False], "fn_index": number}
    joined = httpx.post(
        f"{url}/gradio_api/queue/join", json=body | {"session_hash": session}, timeout=PATIENCE_S
    )
    joined.raise_for_status()
    return session


def until(condition, *, seconds=PATIENCE_S):
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


def test_an_abandoned_request_stops_and_leaves_nothing(server, picture, temporary):
    url, frames = server
    session = submit(url, picture)
    with httpx.stream(
        "GET", f"{url}/gradio_api/queue/data?session_hash={session}", timeout=PATIENCE_S
    ) as stream:
        for line in stream.iter_lines():
            if ".ts" in line or ".m3u8" in line:
                break
    before = len(frames)
    assert until(lambda: not list(temporary.glob("hyperdemo-*")))
    assert_it_stopped(frames, before)


def assert_it_stopped(frames, before):
    """One chunk more is begun when the visitor is found to have gone, and may be at its end."""
    rendered = len(frames)
    time.sleep(0.5)
    assert 0 < before <= rendered == len(frames) <= before + 3 * CHUNK < ALL_FRAMES


def test_a_program_that_goes_away_frees_its_turn(server, picture, temporary):
    url, frames = server
    path = Path(picture)
    upload = httpx.post(
        f"{url}/gradio_api/upload",
        files={"files": (path.name, path.read_bytes())},
        timeout=PATIENCE_S,
    )
    asked = {"image": {"path": upload.json()[0]}, "size": 128, "seconds": SECONDS}
    joined = httpx.post(f"{url}/gradio_api/call/v2/photo_to_object", json=asked, timeout=PATIENCE_S)
    job = f"{url}/gradio_api/call/photo_to_object/{joined.json()['event_id']}"
    with httpx.stream("GET", job, timeout=PATIENCE_S) as stream:
        next(line for line in stream.iter_lines() if "frame 24 of" in line)
    before = len(frames)
    assert until(lambda: not list(temporary.glob("hyperdemo-*")))
    assert_it_stopped(frames, before)


def test_after_one_left_the_next_is_served(server, picture):
    url, _ = server
    session = submit(url, picture)
    with httpx.stream(
        "GET", f"{url}/gradio_api/queue/data?session_hash={session}", timeout=PATIENCE_S
    ) as stream:
        next(line for line in stream.iter_lines() if ".ts" in line or ".m3u8" in line)
    client = Client(url, verbose=False)
    found = client.predict(handle_file(picture), size=128, seconds=0.5, api_name="/photo_to_object")
    assert found["files"]["scratch"]["orbit"].endswith(".mp4")
