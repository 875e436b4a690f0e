"""Publish the demo as a Hugging Face Space: `python -m hyperdemo.space USER/NAME`.

Writes what the Space needs into a folder and uploads that. A plain `git push` is no way: the hub
refuses raw binaries, of any size, in any of the commits that are pushed.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, SpaceCard, SpaceHardware, get_token

ROOT = Path(__file__).resolve().parent.parent
PARTS = (
    "app.py", "packages.txt", "LICENSE", "CREDITS.md", "hyperdemo/**/*", "examples/**/*", "docs/*",
    "weights/*.safetensors", "weights/*.md", "weights/evidence/*", "weights/learning/*",
    "weights/race/*",
)  # fmt: skip
UNWANTED = re.compile(r"__pycache__|\.pyi$")

ZERO, CPU = "zero-a10g", "cpu-basic"

# What the hub's documentation allows.
_COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_ON_ZERO = {"python": ("3.12.12", "3.10.13"), "torch": ("2.8.0", "2.9.1", "2.10.0", "2.11.0")}
_CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "title": ("some text", lambda v: isinstance(v, str) and bool(v)),
    "emoji": ("one emoji", lambda v: isinstance(v, str) and 0 < len(v) <= 2 and ord(v[0]) > 0x2000),
    "colorFrom": (f"one of {_COLOURS}", lambda v: v in _COLOURS),
    "colorTo": (f"one of {_COLOURS}", lambda v: v in _COLOURS),
    "sdk": ("'gradio'", lambda v: v == "gradio"),
    "sdk_version": ("three numbers", lambda v: _is(r"\d+\.\d+\.\d+", v)),
    "python_version": (f"one of {_ON_ZERO['python']}", lambda v: v in _ON_ZERO["python"]),
    "app_file": ("'app.py'", lambda v: v == "app.py"),
    "short_description": ("1 to 60 characters", lambda v: isinstance(v, str) and 0 < len(v) <= 60),
    "models": ("owner/name, each", lambda v: _all(r"[\w.-]+/[\w.-]+", v)),
    "tags": ("lower case words", lambda v: _all(r"[a-z0-9-]+", v)),
    "license": ("'mit'", lambda v: v == "mit"),
    "header": ("'mini' or 'default'", lambda v: v in ("mini", "default")),
    "startup_duration_timeout": ("as in 30m or 1h", lambda v: _is(r"\d+[mh]", v)),
    "suggested_hardware": ("a hardware of the hub", lambda v: v in list(SpaceHardware)),
    "thumbnail": ("a picture's https address", lambda v: _is(r"https://\S+\.(png|jpg|webp)", v)),
}


def write_space(
    name: str, out: Path, *, hardware: str = ZERO, wheels: str = "", root: Path = ROOT
) -> list[Path]:
    """Write a Space's folder anew; returns its files, relative to it.

    Args:
        name: of the Space, "user/name".
        out: the folder; what this function once wrote there is removed first.
        hardware: ZeroGPU, or the CPU.
        wheels: option of pip that stands first in requirements.txt: where PyTorch for the CPU is
            to be found, without 2.7 GB of NVIDIA's packages; "" for the default wheels.
        root: of the checkout.

    Raises:
        ValueError: there is no checkout, or the folder holds something else.
    """
    if not (root / "app.py").is_file():
        raise ValueError(f"there is no app.py in {root}; run this in a checkout of the project")
    if out.exists() and any(out.iterdir()) and not (out / "app.py").is_file():
        raise ValueError(f"{out} holds something else; choose another folder with --out")
    shutil.rmtree(out, ignore_errors=True)
    found = {path for part in PARTS for path in root.glob(part) if path.is_file()}
    for path in sorted(found):
        place = path.relative_to(root)
        if not UNWANTED.search(place.as_posix()):
            (out / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, out / place)
    needed = (root / "requirements.txt").read_text()
    (out / "requirements.txt").write_text(f"{wheels}\n{needed}" if wheels else needed)
    card = SpaceCard.load(root / "README.md")
    card.data.suggested_hardware = hardware
    card.data.thumbnail = f"https://huggingface.co/spaces/{name}/resolve/main/docs/app.png"
    card.save(out / "README.md")
    return sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())


def problems(out: Path) -> list[str]:
    """What is wrong with a written folder, in words."""
    needed = (out / "requirements.txt").read_text()
    pins = dict(re.findall(r"(?m)^([\w-]+)(?:\[[\w,]+\])?==([^\s+]+)", needed))
    data = SpaceCard.load(out / "README.md").data.to_dict()
    found = wrong_keys(data)
    if data.get("sdk_version") != pins.get("gradio"):
        found.append(f"sdk_version is not that of requirements.txt, gradio {pins.get('gradio')}")
    if pins.get("torch") not in _ON_ZERO["torch"]:
        found.append(f"ZeroGPU has torch {_ON_ZERO['torch']}, not {pins.get('torch')}")
    for model in ("view-foundation", "view-scratch"):
        path = out / "weights" / f"{model}.safetensors"
        if not path.is_file():
            found.append(f"there are no weights {path.name}")
        elif path.read_bytes()[:7] == b"version":
            found.append(f"{path.name} is a pointer of Git LFS; fetch the file with `git lfs pull`")
    if not (out / "docs" / "app.png").is_file():
        found.append("there is no docs/app.png for the thumbnail")
    return found


def wrong_keys(data: Mapping[str, Any]) -> list[str]:
    """What is wrong with a Space's front matter, key by key."""
    found = [f"{key} is no key that this Space knows" for key in data if key not in _CHECKS]
    for key, (expected, right) in _CHECKS.items():
        if key not in data or not right(data[key]):
            found.append(f"{key} must be {expected}, got {data.get(key)!r}")
    return found


def _is(pattern: str, value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def _all(pattern: str, values: Any) -> bool:
    return isinstance(values, list) and bool(values) and all(_is(pattern, v) for v in values)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 on success, 2 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m hyperdemo.space", description=__doc__)
    parser.add_argument("name", metavar="USER/NAME", help="of the Space, made if it is not there")
    parser.add_argument("--out", type=Path, default=ROOT / "artefacts" / "space", metavar="DIR")
    parser.add_argument(
        "--cpu", action="store_true", help="for CPU hardware, which takes a paid plan"
    )
    parser.add_argument(
        "--wheels", default="", metavar="OPTION",
        help="option of pip for PyTorch without NVIDIA's packages, as pytorch.org gives it",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="upload nothing, list everything")
    args = parser.parse_args(argv)
    hardware = CPU if args.cpu else ZERO
    try:
        files = write_space(args.name, args.out, hardware=hardware, wheels=args.wheels)
        wrong = problems(args.out)
    except (ValueError, OSError) as error:
        files, wrong = [], [str(error)]
    if not _is(r"[\w.-]+/[\w.-]+", args.name):
        wrong.append(f"a name like user/demo expected, got {args.name!r}")
    if get_token() is None:
        wrong.append("you are not logged in to the hub; run `hf auth login`")
    sizes = {path: (args.out / path).stat().st_size for path in files}
    if args.dry_run:
        for path, size in sizes.items():
            print(f"{size:>12,}  {path}")
    print(f"{sum(sizes.values()):>12,}  bytes in {len(files)} files in {args.out}")
    for what in wrong:
        print(f"wrong: {what}", file=sys.stderr)
    if wrong or args.dry_run:
        return 2 if wrong else 0
    try:
        print(upload(args.name, args.out, hardware=hardware))
    except Exception as error:  # its client's, or those of whatever HTTP library that stands on
        said = str(error).strip().partition("\n")[0]
        print(f"wrong: the hub did not take it: {said}", file=sys.stderr)
        return 2
    return 0


def upload(name: str, folder: Path, *, hardware: str) -> str:
    """Make the Space if it is not there, and let it hold this folder alone; returns its address."""
    api = HfApi()
    # With its hardware: on the default one a free account may make no Space.
    made = api.create_repo(
        name, repo_type="space", space_sdk="gradio", space_hardware=SpaceHardware(hardware),
        exist_ok=True,
    )  # fmt: skip
    api.upload_folder(
        repo_id=name, repo_type="space", folder_path=folder, delete_patterns="*",
        commit_message="The demo, its weights and its examples",
    )  # fmt: skip
    return str(made)


if __name__ == "__main__":
    sys.exit(main())
