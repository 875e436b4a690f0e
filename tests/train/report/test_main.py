"""What is generated is checked against the results; the shipped files hold every kind of table."""

import shutil

import pytest

from tests.conftest import ROOT
from train.report.__main__ import generated, main, replace_section

SHIPPED = generated(ROOT, ROOT / "weights")


@pytest.fixture
def root(tmp_path):
    """The shipped results, and what is generated of them."""
    recorded = (ROOT / "weights").glob("*.json")
    for path in [*SHIPPED, *recorded]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return tmp_path


def run(root, what):
    return main([what, "--root", str(root), "--weights", str(root / "weights")])


def test_what_is_shipped_is_what_was_recorded():
    for path, text in SHIPPED.items():
        assert path.read_text() == text, path


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("README.md", "+1.34 ± 0.14"), ("docs/results-sound.md", "+0.57 ± 0.03"),
        ("weights/view-scratch.md", "15.68"), ("weights/evidence/measured.json", "26.1407"),
    ],
)  # fmt: skip
def test_what_differs_is_named_and_written_anew(root, capsys, path, number):
    file = root / path
    text = file.read_text()
    assert run(root, "--check") == 0 and not capsys.readouterr().out
    file.write_text(text.replace(number, "7"))
    assert run(root, "--check") == 1
    message = f"{file} differs from the results: run python -m train.report --write\n"
    assert capsys.readouterr().out == message
    assert run(root, "--write") == 0 and file.read_text() == text


def test_prose_around_a_table_is_free_and_its_markers_are_not(root, capsys):
    docs = root / "docs" / "results-view.md"
    docs.write_text(f"More prose.\n{docs.read_text()}")
    assert run(root, "--check") == 0
    docs.write_text("nothing")
    assert run(root, "--check") == 1
    assert "docs/results-view.md must hold <!-- results: begin -->" in capsys.readouterr().out
    twice = 2 * "<!-- a: begin -->\n<!-- a: end -->\n"
    with pytest.raises(ValueError, match="once each"):
        replace_section(twice, "new", name="a", path=root)
