import pytest

from hyperdemo.ui.evidence.rows import GAP_ROWS, Row, positions


def test_rows_of_a_label_lie_together():
    rows = [Row(label, "s", "red", 1.0) for label in ("a", "b", "a", "c")]
    heights, ticks = positions(rows)
    second, third = 2 + GAP_ROWS, 3 + 2 * GAP_ROWS
    assert heights == pytest.approx([0, second, 1, third])
    assert ticks == pytest.approx({"a": 0.5, "b": second, "c": third})
