"""The words that carry the counts of answers."""

from __future__ import annotations

from hyperdemo.ui.guess.tally import MAX_PER_MINUTE, Count

NOBODY = "Nobody here has answered yet."
NOT_COUNTED = (
    f"Your last answer does not count here: more than {MAX_PER_MINUTE} came within a minute."
)


def own_words(count: Count) -> str:
    """How one visitor fares; "" before the first answer."""
    return f"You: {_of(count)}" if count.answers else ""


def all_words(count: Count, *, counted: bool = True) -> str:
    """How all visitors fare.

    Args:
        count: their answers.
        counted: whether the last of them is among these.
    """
    words = NOBODY
    if count.answers:
        words = f"All visitors: {_of(count)} Proportion: {count.proportion:.2f}."
    return words if counted else f"{words} {NOT_COUNTED}"


def _of(count: Count) -> str:
    lower, upper = count.interval()
    return (
        f"{count.right} of {count.answers} right; guessing alone gives {count.answers / 2:g}; "
        f"95 % interval {lower:.2f}–{upper:.2f}."
    )
