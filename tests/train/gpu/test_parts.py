import pytest

from train.gpu.parts import join, missing, split


def test_files_come_back_from_parts_in_several_folders(tmp_path):
    source = {"a.bin": bytes(range(256)) * 100, "b.txt": b"words"}
    for name, content in source.items():
        (tmp_path / name).write_bytes(content)
    files = {name: tmp_path / name for name in source}
    parts = split(files, tmp_path / "parts", name="arm", limit=10_000)
    assert len(parts) > 2 and all(part.stat().st_size <= 10_000 for part in parts)
    other = tmp_path / "other"
    other.mkdir()
    parts[1].rename(other / parts[1].name)
    assert missing("arm", [tmp_path / "parts"]) == ["arm-2.part"]
    folders = [tmp_path / "parts", other]
    found = join("arm", folders, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in found} == source
    (other / parts[1].name).write_bytes(b"damaged on the way")
    with pytest.raises(ValueError, match=r"missing or damaged: arm-2\.part"):
        join("arm", folders, tmp_path / "out")
    with pytest.raises(ValueError, match=r"no leg\.json"):
        missing("leg", folders)
