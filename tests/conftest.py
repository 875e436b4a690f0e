"""What all tests share: few threads, no network, fixed seeds, and what a machine may lack.

The shapes and types written in hyperdemo's signatures are checked on every call that a test makes,
so nothing here may import hyperdemo at the top, before the check is in place.
"""

import os

# Before NumPy, torch and Numba read them. One thread: the tensors are tiny, and starting threads
# costs more than they save. Numba gets two, or a race in a parallel loop could not show.
for _name, _value in {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "2",
    "HF_HUB_OFFLINE": "1",
    "GRADIO_ANALYTICS_ENABLED": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_LOG_TO_DRIVER": "0",
    # Ray's processes inherit these, with which it looks every moment for what is lost or needed.
    # How long it waits for an answer is as ever: the machine may be busy.
    "RAY_worker_niceness": "0",  # else its workers starve beside another process of pytest
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "200",
    "RAY_raylet_death_check_interval_milliseconds": "100",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.2",
    "RAY_SERVE_HANDLE_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
    "RAY_SERVE_REPLICA_AUTOSCALING_METRIC_PUSH_INTERVAL_S": "0.5",
}.items():
    os.environ.setdefault(_name, _value)

import random  # noqa: E402
import shutil  # noqa: E402
from collections.abc import Callable, Iterator, Mapping  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import TYPE_CHECKING  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402

from tests import shapes  # noqa: E402

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from ray.cluster_utils import Cluster

ROOT = Path(__file__).resolve().parent.parent
SEED = 20250300
PATIENCE_S = 180  # of a browser: the machine may be busy
RAY_ROOM = {"object_store_memory": 80_000_000}  # of a node
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")

shapes.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for the ``gpu`` or ``browser`` fixture, so that ``-m "not gpu"`` finds it."""
    for item in items:
        for name in {"gpu", "browser"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(name)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Start every test from the same random state, on one thread."""
    torch.set_num_threads(1)
    random.seed(SEED)
    np.random.seed(SEED)
    torch.manual_seed(SEED)


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded generator on the CPU, for code that takes one."""
    return torch.Generator().manual_seed(SEED)


@pytest.fixture
def hub_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Mapping[str, torch.Tensor]], None]:
    """The hub is offline and its cache empty; lays weights of DINOv2 S out as if fetched."""
    import huggingface_hub.constants
    from safetensors.torch import save_file

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))

    def fetch(state: Mapping[str, torch.Tensor]) -> None:
        folder = tmp_path / "models--timm--vit_small_patch14_dinov2.lvd142m"
        snapshot = folder / "snapshots" / ("0" * 40)
        snapshot.mkdir(parents=True)
        (folder / "refs").mkdir()
        (folder / "refs" / "main").write_text("0" * 40)
        save_file(dict(state), snapshot / "model.safetensors")

    return fetch


@pytest.fixture(scope="session")
def gpu() -> torch.device:
    """The CUDA device; the one place that decides whether a test that needs one is skipped."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device; torch sees none")
    return torch.device("cuda")


@pytest.fixture(scope="session")
def ffmpeg() -> tuple[str, str]:
    """Paths of ffmpeg and ffprobe, which Gradio runs for every chunk of streamed video."""
    found = tuple(shutil.which(name) for name in ("ffmpeg", "ffprobe"))
    if None in found:
        pytest.skip("needs ffmpeg and ffprobe on PATH: apt-get install ffmpeg")
    return found


@pytest.fixture(scope="session")
def egl() -> None:
    """OpenGL without a display, which draws the training views; skipped where it cannot start."""
    moderngl = pytest.importorskip("moderngl")
    try:
        moderngl.create_standalone_context(backend="egl").release()
    except Exception as error:
        # moderngl raises a bare Exception for a missing library and for a missing driver.
        pytest.skip(f"needs EGL ({error}): apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri")


@pytest.fixture(scope="session")
def ray_runtime() -> "Iterator[Cluster]":
    """Ray on two cores of this machine, for all tests that need it; what they call finds it.

    It is a cluster of one node, which this process has joined as `train.cluster` does. Tests may
    add nodes in place of further machines, in the main thread: Ray sets signals for each.
    """
    import ray
    from ray.cluster_utils import Cluster

    from train.cluster.runtime import start_ray

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False} | RAY_ROOM
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ADDRESS", cluster.address)
        start_ray()
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.fixture(scope="session")
def artefacts() -> Path:
    """Folder for what a person may want to look at after a run, such as screenshots."""
    folder = ROOT / "artefacts"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A headless Chromium, with WebGL drawn by the CPU."""
    program = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if program is None:
        pytest.skip("needs one of " + ", ".join(CHROMIUM_NAMES) + ": apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            # Chromium refuses its sandbox to root; shared memory is 64 MiB in most containers.
            args=["--no-sandbox", "--disable-dev-shm-usage", "--enable-unsafe-swiftshader"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def rgba() -> np.ndarray:
    """A brown box on transparency."""
    picture = np.zeros((60, 80, 4), np.uint8)
    picture[20:40, 20:60] = (200, 90, 40, 255)
    return picture
