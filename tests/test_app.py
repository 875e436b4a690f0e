"""The program that starts the page: light to import, and clear about what it lacks."""

import os
import subprocess
import sys

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


def test_the_command_line():
    options = start.parse_arguments([])
    assert options.host is None and options.port is None and options.device is None
    assert options.weights is None
    assert start.parse_arguments(["--port", "7000", "--host", "::"]).port == 7000


def test_missing_weights_are_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["app.py", "--weights", str(tmp_path), "--device", "cpu"])
    with pytest.raises(SystemExit, match="cannot start: there is no checkpoint"):
        start.main()


def test_on_zerogpu_a_function_is_decorated_before_torch_is_there(tmp_path):
    """A Space without one is killed at start, and `spaces` refuses to come after torch."""
    (tmp_path / "spaces").mkdir()
    (tmp_path / "spaces" / "__init__.py").write_text(
        "import sys\n"
        "assert 'torch' not in sys.modules and 'gradio' not in sys.modules\n"
        "def GPU(function, *, duration):\n"
        "    sys.exit(f'decorated {function.__name__}')\n"
    )
    (tmp_path / "spaces" / "config.py").write_text("class Config:\n    zero_gpu = True\n")
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, capture_output=True, text=True, timeout=120,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "decorated view_elsewhere", done.stderr
