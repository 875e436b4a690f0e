import numpy as np
import pytest
import soundfile

from train.sound.examples import Excerpt
from train.sources.sounds import list_clips

RATE_HZ = 16_000


@pytest.fixture
def clips(tmp_path):
    """A file of four clips of half a second: constant, at 0.1, 0.2, 0.3 and 0.4."""
    samples = np.repeat([0.1, 0.2, 0.3, 0.4], RATE_HZ // 2)
    soundfile.write(tmp_path / "all.wav", samples, RATE_HZ, subtype="FLOAT")
    rows = ["source\tkind\tlanguage\tlicence\tfile\tstart_s\tseconds\tspeaker_or_title"]
    rows += [f"Kit\tspeech\txx\tCC0\tall.wav\t{0.5 * k}\t0.5\tAnna" for k in range(4)]
    (tmp_path / "index.tsv").write_text("\n".join(rows) + "\n")
    return list_clips(tmp_path)


def test_clips_in_a_row_from_where_it_says_with_soft_ends(clips):
    samples = Excerpt("kit", "anna", 0.25, 0.5, every=2).read(clips)
    assert samples.dtype == np.int16 and len(samples) == RATE_HZ // 2
    middle = samples[400:-400] / 32767
    np.testing.assert_allclose(middle[: RATE_HZ // 4 - 400], 0.1, atol=1e-3)
    np.testing.assert_allclose(middle[RATE_HZ // 4 - 400 :], 0.3, atol=1e-3)
    assert samples[0] == samples[-1] == 0 and np.all(np.diff(samples[:320]) >= 0)


def test_what_is_not_in_the_folder_is_said(clips):
    with pytest.raises(ValueError, match="expected bert of kit in the folder of sounds"):
        Excerpt("kit", "bert", 0.0, 1.0).read(clips)
