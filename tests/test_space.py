"""What goes to a Space: a folder that is whole, described as the hub wants it, and that starts."""

import os
import re
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing

import pytest
from huggingface_hub import SpaceCard

from hyperdemo import space
from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.space import main, problems, write_space, wrong_keys
from tests import tiny
from tests.conftest import ROOT
from tests.hub import TOKEN, running_hub

NAME = "ann/demo"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "space"


@pytest.fixture
def card():
    """The front matter as it is written."""
    data = SpaceCard.load(ROOT / "README.md").data.to_dict()
    return data | {"thumbnail": "https://huggingface.co/spaces/ann/demo/resolve/main/docs/app.png"}


@pytest.mark.parametrize("hardware", [space.ZERO, space.CPU])
def test_a_folder_holds_what_is_needed_and_no_more(out, hardware):
    files = {path.as_posix() for path in write_space(NAME, out, hardware=hardware)}
    assert problems(out) == []
    tops = {path.split("/")[0] for path in files}
    assert tops == {
        "app.py", "requirements.txt", "packages.txt", "README.md", "LICENSE", "CREDITS.md",
        "hyperdemo", "weights", "examples", "docs",
    }  # fmt: skip
    assert not [path for path in files if "__pycache__" in path or path == "weights/results.json"]
    needed, all_wheels = ((p / "requirements.txt").read_text() for p in (out, ROOT))
    assert needed == all_wheels
    card = SpaceCard.load(out / "README.md")
    assert card.data.suggested_hardware == hardware
    assert card.text.strip() == SpaceCard.load(ROOT / "README.md").text.strip()


def test_an_option_for_other_wheels_stands_before_what_is_needed(out):
    write_space(NAME, out, hardware=space.CPU, wheels="--pre")
    first, rest = (out / "requirements.txt").read_text().split("\n", 1)
    assert first == "--pre" and rest == (ROOT / "requirements.txt").read_text()
    assert problems(out) == []


@pytest.mark.parametrize(
    ("key", "wrong"),
    [
        ("title", ""),
        ("emoji", "chair"),
        ("colorFrom", "orange"),
        ("colorTo", None),
        ("sdk", "docker"),
        ("sdk_version", "6"),
        ("python_version", 3.12),
        ("app_file", "main.py"),
        ("short_description", 61 * "x"),
        ("models", ["dinov2"]),
        ("tags", ["Two words"]),
        ("license", "MIT License"),
        ("header", "none"),
        ("startup_duration_timeout", "30"),
        ("suggested_hardware", "gpu"),
        ("thumbnail", "docs/app.png"),
    ],
)
def test_every_key_of_the_front_matter_is_checked(card, key, wrong):
    assert wrong_keys(card) == []
    (said,) = wrong_keys(card | {key: wrong})
    assert said.startswith(f"{key} must be ") and said.endswith(f", got {wrong!r}")
    missing = {k: v for k, v in card.items() if k != key}
    assert wrong_keys(missing)[0].endswith("got None")


def test_a_key_that_nobody_knows_is_wrong(card):
    assert wrong_keys(card | {"python": "3.12"}) == ["python is no key that this Space knows"]


def test_what_is_wrong_is_listed_and_nothing_is_uploaded(out, monkeypatch, capsys):
    monkeypatch.setattr(space, "get_token", lambda: None)
    assert main(["demo", "--dry-run", "--out", str(out)]) == 2
    printed = capsys.readouterr()
    size = (out / "app.py").stat().st_size
    assert f"{size:>12,}  app.py\n" in printed.out and "bytes in" in printed.out
    assert "a name like user/demo expected" in printed.err and "hf auth login" in printed.err
    (out / "weights" / "view-scratch.safetensors").unlink()
    (out / "weights" / "view-foundation.safetensors").write_text("version https://git-lfs…")
    needed = (out / "requirements.txt").read_text()
    (out / "requirements.txt").write_text(re.sub("(gradio.*|torch)==", r"\1==1", needed))
    said = "\n".join(problems(out))
    for word in ("no weights view-scratch", "pointer of Git LFS", "sdk_version is", "ZeroGPU has"):
        assert word in said


def test_a_folder_of_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("mine")
    assert main([NAME, "--out", str(tmp_path)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def uploaded(hub, out, *, token=TOKEN):
    """Run the command with the hub's own client, against a hub of ours."""
    environment = os.environ | {
        "HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "hyperdemo.space", NAME, "--out", str(out)], cwd=ROOT,
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_space_holds_what_was_written_and_nothing_else(out):
    with running_hub() as hub:
        hub.files = {"weights/view-old.safetensors": b"of last year"}
        done = uploaded(hub, out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"{hub.url}/spaces/{NAME}\n")
    assert hub.made == {
        NAME: {"organization": "ann", "name": "demo", "type": "space", "sdk": "gradio",
               "hardware": "zero-a10g"}
    }  # fmt: skip
    assert set(hub.files) == {path.as_posix() for path in write_space(NAME, out)}
    for path, data in hub.files.items():
        assert (out / path).read_bytes() == data


def test_a_hub_that_refuses_and_one_that_is_away_are_told_in_a_line(out):
    with running_hub() as hub:
        refused = uploaded(hub, out, token="hf_of_nobody")
    away = uploaded(hub, out)
    for done, why in ((refused, "401"), (away, "refused")):
        (line,) = done.stderr.splitlines()
        assert done.returncode == 2 and why in line
        assert line.startswith("wrong: the hub did not take it: ")


@pytest.mark.slow
def test_the_written_folder_starts(out):
    """With tiny weights in place of the shipped ones, and nothing else of the checkout."""
    write_space(NAME, out)
    for path in (out / "weights").glob("*.safetensors"):
        path.unlink()
    for name in ("foundation", "scratch"):
        save_checkpoint(tiny.model(init=name), out / "weights", name=f"view-{name}", facts={})
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": "", "GRADIO_SERVER_PORT": str(port)}
    environment |= {"PYTHONUNBUFFERED": "1"}  # or what is waited for stays in the pipe
    server = subprocess.Popen(
        [sys.executable, "app.py"], cwd=out, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        for line in server.stdout:
            if "Running on" in line:
                break
        else:
            pytest.fail("the app did not start")
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/config", timeout=60).read()
        assert b"coffee_cup" in page and b"Evidence" in page
    finally:
        server.kill()
        server.wait()


def test_a_container_holds_the_same_and_is_not_root(out):
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert len(lines) <= 30
    files = {path.as_posix() for path in write_space(NAME, out, hardware=space.CPU)}
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    copied = {word for word in copied if not word.startswith("--")} - {"constraints.txt"}
    not_needed = {"README.md", "packages.txt", "docs"}
    assert copied == {path.split("/")[0] for path in files} - not_needed
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line[0] == "!"}
    assert allowed == copied | {"constraints.txt"}
    last = [line.split()[0] for line in lines if line and line[0].isupper()]
    assert last[last.index("USER") :] == ["USER", "ENV", "EXPOSE", "HEALTHCHECK", "CMD"]
