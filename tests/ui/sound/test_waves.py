import base64
import re
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from hyperdemo.ui.sound.waves import BARS, bars_of, wave_svg, waves_css
from tests.ui.conftest import chirp


def test_each_bar_is_as_high_as_its_stretch_is_loud():
    steps = np.repeat([0.1, -0.4, 0.2, 0.0], 1000)
    assert bars_of(steps, n_bars=4) == pytest.approx([0.25, 1.0, 0.5, 0.0])
    assert bars_of(np.zeros(5)).tolist() == [0.0] * BARS  # silence, and fewer samples than bars
    path = ElementTree.fromstring(wave_svg(np.array([1.0, 0.5])))[0].get("d")
    assert [float(h) for h in re.findall(r"v([\d.]+)", path)] == [19.0, 9.5]


def test_every_sound_has_a_picture_of_its_own(tmp_path):
    paths = [tmp_path / "a.flac", tmp_path / "b.wav"]
    for path, sound in zip(paths, (chirp(), chirp()[::-1]), strict=True):
        soundfile.write(path, np.stack([sound, 0.5 * sound], axis=1), 22_050)
    css = waves_css(paths, "#sounds button")
    assert re.findall(r"#sounds button:nth-of-type\((\d)\)::before", css) == ["1", "2"]
    pictures = [base64.b64decode(code) for code in re.findall(r"base64,([^\"]+)", css)]
    assert len(set(pictures)) == 2 and all(p.startswith(b"<svg") for p in pictures)
