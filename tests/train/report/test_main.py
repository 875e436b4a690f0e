"""What is generated is checked against the results; so are the shipped files."""

import json

import pytest

from tests.conftest import ROOT
from tests.train.report.test_tables import FACTS, SCORES, SOUND, VIEW
from train.report.__main__ import generated, main, replace_section

MARKERS = "before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "weights").mkdir()
    for name in ("README.md", "docs/results-view.md", "docs/results-sound.md"):
        (tmp_path / name).write_text(MARKERS)
    splits = {"test": {"foundation": SCORES, "scratch": SCORES}}
    results = {"view": VIEW | {"splits": splits}, "sound": SOUND}
    (tmp_path / "weights" / "results.json").write_text(json.dumps(results))
    (tmp_path / "weights" / "view-foundation.json").write_text(json.dumps(FACTS))
    return tmp_path


def run(root, what):
    return main([what, "--root", str(root), "--weights", str(root / "weights")])


def test_it_writes_and_checks(root, capsys):
    assert run(root, "--check") == 1
    told = capsys.readouterr().out
    for name in ("README.md", "results-view.md", "results-sound.md", "view-foundation.md"):
        assert f"{name} differs from the results: run python -m train.report --write" in told
    assert run(root, "--write") == 0 and run(root, "--check") == 0
    text = (root / "docs" / "results-sound.md").read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "**hypernetwork, pretrained (Whisper)**" in text
    readme = root / "README.md"
    readme.write_text(readme.read_text() + "more prose\n")
    assert run(root, "--check") == 0
    readme.write_text(readme.read_text().replace("14.82", "14.83"))
    assert run(root, "--check") == 1


def test_a_file_without_its_markers_is_named(root, capsys):
    (root / "docs" / "results-view.md").write_text("nothing")
    assert run(root, "--check") == 1
    assert "docs/results-view.md must hold <!-- results: begin -->" in capsys.readouterr().out
    with pytest.raises(ValueError, match="once each"):
        replace_section(2 * MARKERS, "new", name="results", path=root)


def test_what_is_shipped_is_what_was_recorded():
    for path, text in generated(ROOT, ROOT / "weights").items():
        assert path.read_text() == text, path
