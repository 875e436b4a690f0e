"""Where in frequency an error lies, against tones whose energies are known."""

import numpy as np
import pytest

from train.sound.bands import EDGES_HZ, by_band, measure

TIME = np.arange(16_000) / 16_000


def tone(hz, amplitude=1.0):
    return amplitude * np.sin(2 * np.pi * hz * TIME)


def test_tones_fall_into_their_bands():
    heard = tone(500) + tone(3000, 0.5) + tone(7000, 0.1)
    # Half as loud at 500 Hz, twice as loud at 3 kHz, silent at 7.
    said = tone(500, 0.5) + tone(3000, 1.0)
    snr, share = by_band(said, heard)
    assert snr[[0, 2, 4]] == pytest.approx([20 * np.log10(2), 0.0, 0.0], abs=1e-6)
    errors = np.array([0.5**2, 0, 0.5**2, 0, 0.1**2])
    assert share == pytest.approx(errors / errors.sum(), abs=1e-6)
    assert (
        by_band(heard, heard)[1] == pytest.approx(0) and np.isfinite(by_band(heard, heard)[0]).all()
    )


@pytest.mark.parametrize(("hz", "band"), [(0, 0), (999, 0), (1000, 1), (4000, 3), (8000, 4)])
def test_an_edge_belongs_to_the_band_above_and_the_last_to_the_last(hz, band):
    wave = np.cos(2 * np.pi * hz * TIME)
    share = by_band(np.zeros_like(wave), wave)[1]
    assert share[band] == pytest.approx(1) and len(share) == len(EDGES_HZ) - 1


def test_recordings_are_averaged_and_silence_gives_numbers():
    found = measure({"half": lambda heard: heard / 2}, [tone(500), tone(1500), 0 * TIME])
    assert found["half"]["share"][:2] == pytest.approx([1 / 3, 1 / 3], abs=1e-3)
    assert np.isfinite(found["half"]["snr_db"]).all()
