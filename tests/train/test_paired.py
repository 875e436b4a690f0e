import math

import pytest

from train.paired import compare, short_rows


def test_differences_by_hand():
    def rows(*psnr):
        return [{"object": f"o{k}", "psnr": p, "perceptual": p} for k, p in enumerate(psnr)]

    found = compare("view", rows(3.0, 5.0, 4.0, 9.0), rows(1.0, 4.0, 4.0))
    assert list(found) == ["psnr", "perceptual"]
    assert (found["psnr"].mean, found["psnr"].better, found["psnr"].n) == (1.0, 2, 3)
    assert found["psnr"].stderr == pytest.approx(1 / math.sqrt(3))  # σ = 1 with n − 1
    assert found["perceptual"].better == 0
    assert compare("view", rows(1.0), []) == {}


def test_what_has_no_value_is_left_out():
    ours = [{"prompt": "a", "pesq": 2.0, "lsd": None}, {"prompt": "b", "pesq": 3.0, "lsd": None}]
    theirs = [{"prompt": "b", "pesq": None, "lsd": 1.0}, {"prompt": "a", "pesq": 1.5, "lsd": 1.0}]
    found = compare("sound", ours, theirs)
    assert list(found) == ["pesq"] and (found["pesq"].mean, found["pesq"].n) == (0.5, 1)


def test_short_rows_are_what_a_comparison_needs():
    rows = [{"object": "o", "class": "c", "psnr": 1.23456, "ssim": None, "named": 0.5}]
    assert short_rows("view", rows) == [{"object": "o", "psnr": 1.2346}]
    assert compare("view", short_rows("view", rows), [{"object": "o", "psnr": 1.0}])
