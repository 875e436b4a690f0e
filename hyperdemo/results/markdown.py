"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "") -> str:
    """A Markdown table.

    Args:
        header: words over the columns.
        rows: cells, as many as there are columns.
        align: "l" or "r" for each column; all to the left if not given.

    Raises:
        ValueError: a row or `align` is not as long as the header.
    """
    marks = {"l": "---", "r": "--:"}
    lines = [header, [marks[side] for side in align or "l" * len(header)], *rows]
    for cells in lines:
        if len(cells) != len(header):
            raise ValueError(f"expected {len(header)} cells, got {len(cells)}: {list(cells)}")
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
