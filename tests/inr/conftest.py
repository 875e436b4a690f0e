import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def run_example(tmp_path):
    """Runs a script of `examples/` on a file of networks, and returns the path of its output.

    Beside Python's own modules the script has NumPy alone.
    """

    def run(name, data, output, *options):
        script = EXAMPLES / name
        lines = script.read_text().splitlines()
        imported = {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
        assert imported - sys.stdlib_module_names == {"numpy"}
        (tmp_path / "inr.safetensors").write_bytes(data)
        code = (
            "import runpy, sys; sys.modules['torch'] = sys.modules['safetensors'] = None; "
            f"runpy.run_path({str(script)!r})"
        )
        command = [sys.executable, "-W", "error", "-c", code, "inr.safetensors", output, *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return tmp_path / output

    return run
