"""The architecture, held by tests: who may import whom, and that importing does nothing."""

import ast
import importlib
import importlib.metadata
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from jaxtyping import TypeCheckError

ROOT = Path(__file__).resolve().parent.parent
LAYERS = (
    "config",
    "metrics",
    "media",
    "preprocess",
    "inr",
    "render",
    "refine",
    "backbones",
    "hypernet",
    "model",
    "inside",
    "learn",
    "checkpoints",
    "known",
    "examples",
    "events",
    "pipeline",
    "program",
    "space",
    "scratch",
    "results",
    "ui",
    "serve",
    "__main__",
)
OURS = ("bench", "hyperdemo", "train")
MAX_LINES = 320  # "about 300"


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


HYPERDEMO = sources("hyperdemo")
PACKAGES = [module_name(path) for path in HYPERDEMO if path.name == "__init__.py"]


def imports(source: str, module: str, *, is_package: bool) -> Iterator[tuple[int, str]]:
    """Yield (line, absolute dotted name) for each import, wherever in the file it stands."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *filter(None, [node.module])])
            for alias in node.names:
                yield node.lineno, f"{stem}.{alias.name}"


def layer(module: str) -> int | None:
    """Index of a hyperdemo module's layer; None for the package itself and its plain names."""
    name = (module.split(".") + [""])[1]
    return LAYERS.index(name) if name in LAYERS else None


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """List the imports in one file of hyperdemo that break the architecture."""
    found = []
    own = layer(module)
    if own is None and module != "hyperdemo":
        found.append(f"{module} is in no layer; the layers are {', '.join(LAYERS)}")
    for line, name in imports(source, module, is_package=is_package):
        top = name.split(".")[0]
        other = layer(name) if top == "hyperdemo" else None
        if top in ("bench", "train", "tests", "app"):
            found.append(f"{module}:{line} imports {name}, which stands outside the package")
        elif top in ("gradio", "gradio_client", "spaces") and own != LAYERS.index("ui"):
            found.append(f"{module}:{line} imports {name}; only hyperdemo.ui and app.py may")
        elif other is not None and (own is None or other > own):
            found.append(f"{module}:{line} imports {name}, which stands below it")
    return found


@pytest.mark.parametrize("path", HYPERDEMO, ids=module_name)
def test_imports_point_down_the_line_only(path: Path) -> None:
    is_package = path.name == "__init__.py"
    assert not violations(path.read_text(), module_name(path), is_package=is_package)


@pytest.mark.parametrize(
    ("module", "source", "expected"),
    [
        ("hyperdemo.render.march", "from hyperdemo.model import HyperModel", "stands below"),
        ("hyperdemo.render.march", "from hyperdemo import model", "stands below"),
        ("hyperdemo.inr.radiance", "def f():\n    import hyperdemo.pipeline", "stands below"),
        ("hyperdemo.inr.radiance", "from ..ui import views", "stands below"),
        ("hyperdemo.pipeline", "from train.view.data import Views", "outside the package"),
        ("hyperdemo.pipeline", "import gradio as gr", "only hyperdemo.ui"),
        ("hyperdemo.helpers", "", "in no layer"),
        ("hyperdemo", "from hyperdemo.pipeline import ViewPipeline", "stands below"),
    ],
)
def test_the_layering_check_can_fail(module: str, source: str, expected: str) -> None:
    found = violations(source, module, is_package=module == "hyperdemo")
    assert len(found) == 1 and expected in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("hyperdemo.render.march", "from hyperdemo.config import FOV_DEG"),
        ("hyperdemo.render.march", "from .cameras import rays\nfrom ..inr import radiance"),
        ("hyperdemo.ui.views", "import gradio as gr\nfrom hyperdemo.pipeline import ViewPipeline"),
        ("hyperdemo.model", "import torch\nfrom hyperdemo import __version__"),
    ],
)
def test_the_layering_check_can_pass(module: str, source: str) -> None:
    assert not violations(source, module)


def test_training_is_no_user_interface() -> None:
    for path in sources("bench", "train"):
        found = imports(path.read_text(), module_name(path), is_package=False)
        assert not [name for _, name in found if name.split(".")[0] == "gradio"], path


def test_the_package_is_there() -> None:
    assert "hyperdemo" in PACKAGES and len(HYPERDEMO) > 10


@pytest.mark.parametrize("package", PACKAGES)
def test_every_exported_name_resolves(package: str) -> None:
    module = importlib.import_module(package)
    missing = [name for name in getattr(module, "__all__", ()) if not hasattr(module, name)]
    assert not missing, f"{package}.__all__ names what is not there"


@pytest.mark.parametrize("path", sources(*OURS, "tests"), ids=module_name)
def test_no_file_outgrows_its_one_reason_to_change(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_promised_shapes_are_checked() -> None:
    from hyperdemo.render.quadrature import sphere_span

    with pytest.raises(TypeCheckError, match="directions"):
        sphere_span(torch.zeros(4, 3), torch.zeros(1, 3))


def test_every_command_that_is_named_exists() -> None:
    texts = [ROOT / "README.md", ROOT / "Makefile", *(ROOT / "docs").glob("*.md")]
    texts += [*(ROOT / "train" / "configs").glob("*.toml"), *sources(*OURS)]
    named = {
        name
        for path in texts
        for name in re.findall(rf"python -m ((?:{'|'.join(OURS)})\b(?:\.\w+)*)", path.read_text())
    }
    assert {"hyperdemo", "bench", "train.run"} <= named
    for name in sorted(named):
        found = importlib.util.find_spec(name)
        if found and found.submodule_search_locations:
            found = importlib.util.find_spec(f"{name}.__main__")
        assert found, f"python -m {name} is named somewhere, but there is no such module"


def pinned(text: str) -> set[str]:
    """Distribution names in a requirements file, lower case and with hyphens."""
    names = re.findall(r"^([A-Za-z][\w.-]*)(?:\[[\w,]+\])?==", text, flags=re.MULTILINE)
    return {name.lower().replace("_", "-") for name in names}


def test_requirements_name_what_the_app_imports() -> None:
    distributions = importlib.metadata.packages_distributions()
    needed = pinned((ROOT / "requirements.txt").read_text())
    optional = pinned((ROOT / "requirements-ray.txt").read_text())
    for path in HYPERDEMO + [path for path in [ROOT / "app.py"] if path.exists()]:
        allowed = needed | optional if "serve" in path.parts else needed
        for line, name in imports(path.read_text(), module_name(path), is_package=False):
            top = name.split(".")[0]
            # `spaces` is there on a ZeroGPU Space and nowhere else.
            if top in sys.stdlib_module_names or top in ("hyperdemo", "spaces", ""):
                continue
            owners = {owner.lower().replace("_", "-") for owner in distributions.get(top, [top])}
            assert owners & allowed, f"{path.name}:{line}: {top} is not in requirements.txt"


# Run in a process of its own. What hyperdemo imports from others is imported first, since what
# that does is not ours; then the traps are set, and all of hyperdemo is imported. What comes after
# that has only to be there. What is barred is as if it were not installed.
PROBE = """
import importlib, json, os, sys, warnings
barred, others, modules, after = [argument.split(",") for argument in sys.argv[1:]]
sys.modules.update(dict.fromkeys(filter(None, barred)))
for name in others:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:  # a name in a module, not a module
        pass
import torch
caught = []
def watch(event, args):
    reads = event == "open" and not (isinstance(args[1], str) and set(args[1]) & set("wax+"))
    # Code compiled for the next start, by Python or Numba, is no deed of the module's.
    cache = "__pycache__" in str(args[0]) if args else False
    if event.split(".")[0] in ("open", "os", "socket", "subprocess", "shutil") and not (
        reads or cache or event in ("os.listdir", "os.scandir", "os.walk")
    ):
        caught.append(f"{event} {args[:1]}")
def trap(owner, name):
    def caller(*args, **kwargs):
        caught.append(f"{owner.__name__}.{name}")
        return False
    setattr(owner, name, caller)
for name in "is_available device_count current_device get_device_properties _lazy_init".split():
    trap(torch.cuda, name)
for name in ("load", "load_state_dict_from_url", "download_url_to_file"):
    trap(torch.hub, name)
warnings.simplefilter("error")
sys.addaudithook(watch)
found = {}
for name in modules:
    importlib.import_module(name)
    found[name] = "; ".join(caught)
    caught.clear()
warnings.simplefilter("ignore")
for name in filter(None, after):
    importlib.import_module(name)
    found[name] = ""
print(json.dumps(found))
"""


def probe(
    modules: list[str],
    others: list[str],
    *,
    path: Path,
    barred: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
) -> dict[str, str]:
    """Import modules in a fresh process; return what each did beside it, "" for nothing."""
    names = (barred, others, modules, after)
    command = [sys.executable, "-B", "-c", PROBE, *map(",".join, names)]
    done = subprocess.run(command, cwd=path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def deeds() -> dict[str, str]:
    """What importing each module of hyperdemo does beside it, then the rest of ours; without Ray.

    In one process, since most of its time is torch's and Gradio's.
    """
    imported = [
        name.rpartition(".")[0] if isinstance(node, ast.ImportFrom) else name
        for path in HYPERDEMO
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for _, name in imports(ast.unparse(node), module_name(path), is_package=False)
    ]
    others = sorted({name for name in imported if name and not name.startswith("hyperdemo")})
    modules = [module_name(path) for path in HYPERDEMO]
    after = ("train.run", "train.sweep", "train.report.__main__")
    return probe(modules, others, path=ROOT, barred=("ray", "webdataset"), after=after)


def test_importing_does_nothing(deeds: dict[str, str]) -> None:
    assert set(map(module_name, HYPERDEMO)) <= set(deeds)
    assert not {name: done for name, done in deeds.items() if done}


def test_one_machine_needs_nothing_of_ray(deeds: dict[str, str]) -> None:
    """The app, a training and a sweep are imported where the packages for many are not there."""
    needed = {"hyperdemo.__main__", "hyperdemo.ui", "train.run", "train.sweep"}
    assert needed | {"train.report.__main__"} <= set(deeds)


def test_the_import_check_can_fail(tmp_path: Path) -> None:
    guilty = {
        "makes_a_folder": ("import os\nos.makedirs('made')", "os.mkdir"),
        "writes": ("from pathlib import Path\nPath('made.txt').write_text('')", "open"),
        "asks_for_a_gpu": ("import torch\ntorch.cuda.is_available()", "torch.cuda.is_available"),
        "downloads": ("import torch\ntorch.hub.load('a/b', 'c')", "torch.hub.load"),
        "calls": ("import socket\nsocket.getaddrinfo('localhost', 1)", "socket.getaddrinfo"),
        "innocent": ("import math", ""),
    }
    for name, (source, _) in guilty.items():
        (tmp_path / f"{name}.py").write_text(source)
    found = probe(list(guilty), ["torch"], path=tmp_path)
    for name, (_, deed) in guilty.items():
        assert deed in found[name] if deed else not found[name], name
