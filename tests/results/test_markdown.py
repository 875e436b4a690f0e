import pytest

from hyperdemo.results.markdown import markdown_table


def test_a_table():
    found = markdown_table(["", "dB ↑"], [["white", "7.1"], ["model", "15.0"]], align="lr")
    assert found == "|  | dB ↑ |\n| --- | --: |\n| white | 7.1 |\n| model | 15.0 |"


def test_rows_must_fit():
    with pytest.raises(ValueError, match="expected 2 cells, got 1"):
        markdown_table(["a", "b"], [["c"]])
    with pytest.raises(ValueError, match="expected 2 cells, got 3"):
        markdown_table(["a", "b"], [], align="lrr")
