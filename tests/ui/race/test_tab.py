import re

import pytest

from hyperdemo.learn.race_data import save_race
from hyperdemo.ui.race.tab import find_race, small_print, stream_race
from tests.learn import races


@pytest.fixture(scope="module")
def data():
    return races.race_data()


def test_a_race_is_streamed_to_its_end(data):
    updates = list(stream_race(data, n_objects=10, pace=1.0, seed=1, last=3))
    assert len(updates) == 2  # the start and the end
    status, words, figure, pictures = updates[-1]
    assert "step 3 of 3" in status and 'value="100"' in status
    assert "**After 3 steps: " in words and " of 2 objects that neither has seen" in words
    assert [list(trace.x) for trace in figure.data] == [[0, 3], [0, 3]]
    means = [float(number) for number in re.findall(r"([\d.]+) dB \(", words)]
    assert means == pytest.approx([trace.y[-1] for trace in figure.data], abs=0.006)
    assert pictures.count("<img") == 2 * 4 and "Random encoder" in pictures


@pytest.mark.parametrize("wrong", [{"n_objects": 3}, {"pace": 0.0}, {"pace": 50.0}, {"seed": -1}])
def test_what_the_page_does_not_offer_is_refused(data, wrong):
    asked = {"n_objects": 10, "pace": 1.0, "seed": 0} | wrong
    with pytest.raises(ValueError, match="at least 10 objects, a learning rate"):
        next(stream_race(data, **asked))


def test_the_small_print_says_what_it_is(data):
    assert "The 8 objects, of the kinds a and b, are seen" in small_print(data)
    assert "the 12 weight tokens" in small_print(data)


def test_without_data_there_is_no_race(data, tmp_path):
    assert find_race(tmp_path) is None
    save_race(data, tmp_path / "race")
    assert len(find_race(tmp_path).views) == 8
