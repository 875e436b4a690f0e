"""What programs get: the two functions over HTTP and MCP, and the examples of the documentation."""

import ast
import base64
import io
import re
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import av
import httpx
import numpy as np
import pytest
import soundfile
import torch
import trimesh
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from hyperdemo.inr import synthesise
from hyperdemo.inr.export import load_inr
from hyperdemo.inr.export_sound import load_sound
from hyperdemo.ui import build_app, launch_options
from tests.conftest import ROOT
from tests.results.schema import check_result
from tests.ui.conftest import chirp

SMALL = {"size": 32, "seconds": 0.5}


@pytest.fixture(scope="module")
def url(pipeline, sound_pipeline, tmp_path_factory):
    nothing = tmp_path_factory.mktemp("nothing")
    demo = build_app(pipeline, sound=sound_pipeline, examples=nothing, weights=nothing)
    _, url, _ = demo.launch(
        prevent_thread_lock=True, quiet=True, **launch_options(pipeline, sound_pipeline)
    )
    try:
        yield url.rstrip("/")
    finally:
        demo.close()


@pytest.fixture
def client(url, tmp_path):
    return Client(url, verbose=False, download_files=tmp_path / "downloads")


@pytest.fixture
def clip(tmp_path) -> str:
    soundfile.write(tmp_path / "chirp.wav", chirp(), 22_050)
    return str(tmp_path / "chirp.wav")


def network(path):
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {"inr.safetensors", "inr.json"}
        return archive.read("inr.safetensors")


def test_nothing_else_is_offered_and_the_names_stay(client):
    offered = client.view_api(return_format="dict")
    assert offered["unnamed_endpoints"] == {}
    defaults = {
        name: {p["parameter_name"]: p.get("parameter_default") for p in one["parameters"]}
        for name, one in offered["named_endpoints"].items()
    }
    photo = {"image": None, "mask": None, "size": 256, "seconds": 4, "elevation": 20, "sharpen": 0}
    assert defaults == {
        "/photo_to_object": photo | {"models": "both"},
        "/sound_to_network": {"clip": None, "rate": None, "models": "both"},
    }


def test_a_photo_becomes_an_object(client, pipeline, picture, rgba):
    job = client.submit(handle_file(picture), **SMALL, api_name="/photo_to_object")
    *updates, answer = job
    told = [update["progress"] for update in updates]
    assert told == sorted(told) and told[0] == 0 and told[-1] >= 0.9
    assert any("frame 12 of 12" in update["message"] for update in updates)
    result = check_result(answer["result"])
    assert result["photo"] == "box.png" and result["mask_source"] == "alpha"
    framed = pipeline.prepare(rgba).framed
    for name, files in answer["files"].items():
        params, _ = load_inr(network(files["network"]))
        expected = pipeline.encode(framed, pipeline.models[name])
        torch.testing.assert_close(params.weights[0], expected.weights[0])
        with av.open(files["orbit"]) as video:
            frames = [frame.to_ndarray() for frame in video.decode(video=0)]
        assert len(frames) == 12 and frames[0].shape[1] == 32
        assert trimesh.load_mesh(files["mesh"]).faces.shape[0] > 10


def test_a_mask_and_one_model(client, picture, tmp_path):
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 20:35] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    one = SMALL | {"models": "scratch", "api_name": "/photo_to_object"}
    whole, part = (
        client.predict(handle_file(picture), **one, **more)
        for more in ({}, {"mask": handle_file(tmp_path / "mask.png")})
    )
    assert list(whole["files"]) == list(part["result"]["models"]) == ["scratch"]
    assert part["result"]["mask_source"] == "edited"
    assert network(whole["files"]["scratch"]["network"]) != network(
        part["files"]["scratch"]["network"]
    )


def test_a_sound_becomes_networks(client, clip):
    answer = client.predict(handle_file(clip), rate=8000, api_name="/sound_to_network")
    result = check_result(answer["result"])
    assert (result["clip"], result["rate_hz"], result["clip_rate_hz"]) == (
        "chirp.wav",
        8000,
        22_050,
    )
    for name, files in answer["files"].items():
        played, rate_hz = soundfile.read(files["sound"], dtype="float32")
        exact = synthesise(load_sound(network(files["network"])), rate_hz=8000).clamp(-1, 1)
        assert rate_hz == 8000
        np.testing.assert_allclose(played, exact.numpy(), atol=1.1 / 32768)
        assert np.isfinite(result["models"][name]["metrics"]["stoi"])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 33}, "Size: Input should be a multiple of 2"),
        ({"seconds": 60}, "Seconds: Input should be less than or equal to 10"),
        ({"elevation": "high"}, "Elevation: Input should be a valid number"),
        ({"models": "best"}, "Models: Input should be 'both', 'foundation' or 'scratch'"),
    ],
)
def test_wrong_arguments_are_named(client, picture, wrong, words):
    with pytest.raises(AppError, match=re.escape(words)):
        client.predict(handle_file(picture), **(SMALL | wrong), api_name="/photo_to_object")


def test_a_path_on_the_server_is_not_read(url, picture):
    """And no answer tells whether it is there."""
    messages = set()
    for path in (picture, str(Path(picture).with_name("none.png"))):
        body = {"image": {"path": path}}
        run = httpx.post(f"{url}/gradio_api/call/v2/photo_to_object", json=body).json()["event_id"]
        messages.add(httpx.get(f"{url}/gradio_api/call/photo_to_object/{run}").text)
    (message,) = messages
    assert "event: error" in message and "Expected a file that was uploaded" in message


def test_assistants_find_and_use_both_tools(url, clip):
    content = base64.b64encode(Path(clip).read_bytes()).decode()
    asked = {"clip": f"data:audio/wav;base64,{content}", "models": "scratch"}
    told = []

    async def progress(_done, _total, message):
        told.append(message)

    async def visit():
        async with (
            streamable_http_client(f"{url}/gradio_api/mcp/") as (reads, writes, _),
            ClientSession(reads, writes) as session,
        ):
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            call = session.call_tool
            return (
                tools,
                await call("sound_to_network", asked, progress_callback=progress),
                await call("sound_to_network", asked | {"rate": 1}),
            )

    with ThreadPoolExecutor(1) as elsewhere:  # Playwright's loop may run in this thread
        tools, heard, refused = elsewhere.submit(anyio.run, visit).result()
    assert set(tools) == {"photo_to_object", "sound_to_network"}
    photo = tools["photo_to_object"]
    assert "Turn a photo of one object" in photo.description and "GLB" in photo.description
    assert photo.inputSchema["required"] == ["image"]
    assert all(one["description"] for one in photo.inputSchema["properties"].values())
    assert not heard.isError and any("windows written" in message for message in told if message)
    answer = ast.literal_eval(heard.content[0].text)
    check_result(answer["result"])
    wave = httpx.get(answer["files"]["scratch"]["sound"]["url"])
    assert soundfile.info(io.BytesIO(wave.content)).samplerate == 22_050
    assert refused.isError and "Rate: Input should be greater" in refused.content[0].text


RUNNERS = {
    "python": [sys.executable, "-"],
    "bash": ["bash", "-eo", "pipefail"],
    "javascript": ["node", "--input-type=module"],
}
NEEDS = {"python": [], "bash": ["curl", "jq"], "javascript": ["node"]}


def examples():
    """The blocks of code in the documentation that talk to a running app."""
    texts = [(ROOT / name).read_text() for name in ("README.md", "docs/api.md")]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", "".join(texts), re.MULTILINE | re.DOTALL)
    return [(one, code) for one, code in blocks if one in RUNNERS and "photo_to_object" in code]


@pytest.mark.parametrize(("language", "code"), examples())
def test_the_documented_examples_run(url, tmp_path, language, code):
    if missing := [program for program in NEEDS[language] if shutil.which(program) is None]:
        pytest.skip(f"needs {missing}")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    if language == "javascript":
        if not (ROOT / "node_modules" / "@gradio" / "client").is_dir():
            pytest.skip("needs npm install --no-save @gradio/client")
        (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    done = subprocess.run(
        RUNNERS[language], cwd=tmp_path, text=True, capture_output=True, timeout=200,
        input=code.replace("http://127.0.0.1:7860", url),
    )  # fmt: skip
    assert done.returncode == 0 and "foundation.encode" in done.stdout, done.stderr
    if language == "bash":
        with av.open(str(tmp_path / "orbit.mp4")) as video:
            assert video.streams.video[0].frames == 48


def test_the_examples_are_found():
    assert {language for language, _ in examples()} == set(RUNNERS)
