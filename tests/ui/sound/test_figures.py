import numpy as np
import pytest

from hyperdemo.ui.sound.figures import (
    BINS,
    DIFFERENCE_DB,
    MAX_COLUMNS,
    RANGE_DB,
    difference_figure,
    spectrogram_db,
    spectrogram_figure,
)
from tests.media.sounds import sine as tone

LABELS = {"foundation": "Pretrained", "scratch": "From scratch"}


def sine(hz, *, level=1.0, seconds=1.0):
    return tone(hz, rate_hz=16_000, seconds=seconds, level=level).astype(np.float32)


def test_a_sine_stands_where_it_should_and_as_loud():
    levels = spectrogram_db(sine(1000.0, level=0.5))
    middle = levels[:, levels.shape[1] // 2]
    assert levels.shape[0] == BINS
    assert np.argmax(middle) == 1000 // 62.5 and middle.max() == pytest.approx(-6, abs=3)
    assert np.median(middle) < -90


@pytest.mark.parametrize("seconds", [0.01, 0.05, 3.0, 60.0])
def test_figures_stay_light(seconds):
    levels = spectrogram_db(sine(440.0, seconds=seconds))
    assert 1 <= levels.shape[1] <= MAX_COLUMNS and np.isfinite(levels).all()


def test_pooling_keeps_the_power():
    short, long = (spectrogram_db(sine(1000.0, seconds=s)).max() for s in (2.0, 40.0))
    assert short == pytest.approx(long, abs=0.1)


def test_all_spectrograms_share_one_scale_and_one_file_stays_small():
    heard = sine(500.0, seconds=10)
    answers = {"foundation": sine(500.0, level=0.5, seconds=10), "scratch": 0 * heard}
    figure = spectrogram_figure(heard, answers, labels=LABELS)
    assert [note.text for note in figure.layout.annotations] == ["Original", *LABELS.values()]
    assert {trace.coloraxis for trace in figure.data} == {"coloraxis"}
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (-RANGE_DB, 0)
    assert figure.data[0].z.max() <= 0 and figure.data[2].z.max() == -RANGE_DB
    assert figure.data[0].z.max() - figure.data[1].z.max() == pytest.approx(6, abs=1)
    assert len(figure.to_json()) < 400_000


def test_differences_are_signed_and_silence_is_none():
    heard = sine(500.0)
    figure = difference_figure(
        heard, {"foundation": 0.5 * heard, "scratch": heard + sine(3000.0)}, labels=LABELS
    )
    quieter, louder = (trace.z.astype(int) for trace in figure.data)
    assert quieter.min() == pytest.approx(-6, abs=1) and quieter.max() == 0
    assert louder.max() == DIFFERENCE_DB and abs(louder[:20]).max() <= 3
    same = difference_figure(heard, {"foundation": heard}, labels=LABELS)
    assert not same.data[0].z.any()
    assert "Pretrained" in same.layout.annotations[0].text
