"""The program that starts the page: light to import, and clear about what it lacks."""

import subprocess
import sys
from pathlib import Path

import pytest

import app as start
from tests.conftest import ROOT


def test_importing_app_is_light():
    probe = (
        "import sys, app; heavy = {'torch', 'gradio', 'hyperdemo'} & set(sys.modules); "
        "print(heavy or 'light')"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "light", done.stdout + done.stderr


def test_the_command_line_and_the_environment(monkeypatch, tmp_path):
    monkeypatch.delenv("HYPERDEMO_WEIGHTS", raising=False)
    options = start.parse_arguments([])
    assert options.host is None and options.port is None and options.device is None
    assert Path(options.weights) == ROOT / "weights"
    monkeypatch.setenv("HYPERDEMO_WEIGHTS", str(tmp_path))
    assert start.parse_arguments(["--port", "7000"]).weights == str(tmp_path)
    assert start.parse_arguments(["--port", "7000", "--host", "::"]).port == 7000


def test_missing_weights_are_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py", "--weights", str(tmp_path), "--device", "cpu"])
    with pytest.raises(SystemExit, match="cannot start: there is no checkpoint"):
        start.main()
