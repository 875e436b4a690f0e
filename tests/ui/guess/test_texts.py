from hyperdemo.ui.guess.tally import MAX_PER_MINUTE, Count
from hyperdemo.ui.guess.texts import NOBODY, all_words, own_words


def test_a_visitors_count_stands_beside_what_guessing_gives():
    words = "7 of 10 right; guessing alone gives 5; 95 % interval 0.35–0.93."
    assert own_words(Count(7, 10)) == f"You: {words}"
    assert "guessing alone gives 1.5;" in own_words(Count(0, 3))
    assert own_words(Count()) == ""


def test_of_all_visitors_the_proportion_is_told_too():
    assert all_words(Count(7, 10)).endswith("0.93. Proportion: 0.70.")
    assert all_words(Count()) == NOBODY
    assert f"more than {MAX_PER_MINUTE} came" in all_words(Count(1, 2), counted=False)
