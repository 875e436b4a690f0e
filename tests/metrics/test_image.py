import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from hyperdemo.metrics import perceptual_distance, psnr, ssim


def pictures(height=17, width=14):
    rng = np.random.default_rng(2)
    truth = rng.random((height, width, 3))
    return np.clip(truth + 0.2 * rng.standard_normal(truth.shape), 0, 1), truth


def test_psnr_of_known_errors():
    black = np.zeros((4, 5, 3))
    assert psnr(black + 0.1, black) == pytest.approx(20.0)
    assert psnr(black, black + 1.0) == 0.0
    assert psnr(black, black) == math.inf
    grey = np.full((4, 5, 3), 51, np.uint8)  # a fifth of the range
    assert psnr(grey, np.zeros_like(grey)) == pytest.approx(-20 * math.log10(0.2))
    assert psnr(grey, black + 0.2) > 200  # the same picture in two types, but for rounding
    one_pixel = black.copy()
    one_pixel[0, 0] = 1.0
    assert psnr(one_pixel, black) == pytest.approx(10 * math.log10(20))


def test_psnr_agrees_with_scikit_image():
    image, truth = pictures()
    assert psnr(image, truth) == pytest.approx(peak_signal_noise_ratio(truth, image, data_range=1))


def ssim_by_hand(a, b):
    """Wang et al. 2004, Eq. 13, at every window that lies in the picture."""
    ticks = np.arange(-5, 6)
    window = np.exp(-(ticks[:, None] ** 2 + ticks**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = 0.01**2, 0.03**2
    values = []
    for row in range(a.shape[0] - 10):
        for column in range(a.shape[1] - 10):
            for channel in range(3):
                x = a[row : row + 11, column : column + 11, channel]
                y = b[row : row + 11, column : column + 11, channel]
                mx, my = (window * x).sum(), (window * y).sum()
                vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
                covariance = (window * (x - mx) * (y - my)).sum()
                values.append(
                    (2 * mx * my + c1) * (2 * covariance + c2)
                    / ((mx**2 + my**2 + c1) * (vx + vy + c2))
                )  # fmt: skip
    return np.mean(values)


def test_ssim_is_the_paper_s():
    image, truth = pictures()
    by_hand = ssim_by_hand(image, truth)
    assert 0.2 < by_hand < 0.95
    assert ssim(image, truth) == pytest.approx(by_hand, abs=1e-9)
    assert ssim(truth, truth) == pytest.approx(1.0)
    as_bytes = np.rint(255 * image).astype(np.uint8), np.rint(255 * truth).astype(np.uint8)
    assert ssim(*as_bytes) == pytest.approx(by_hand, abs=5e-3)


def test_pictures_that_do_not_compare_are_refused():
    image, truth = pictures()
    for metric in (psnr, ssim):
        with pytest.raises(ValueError, match="one shape expected"):
            metric(image, truth[:-1])
    with pytest.raises(ValueError):
        ssim(image[:10, :10], truth[:10, :10])


def test_perceptual_distance_by_hand():
    a, b = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)

    def features(pixels):
        return pixels.flatten(2).transpose(1, 2) - 0.5  # a patch a pixel

    expected = []
    for x, y in zip(features(a).tolist(), features(b).tolist(), strict=True):
        cosines = [
            np.dot(p, q) / np.linalg.norm(p) / np.linalg.norm(q) for p, q in zip(x, y, strict=True)
        ]
        expected.append(1 - np.mean(cosines))
    found = perceptual_distance(a, b, features=features)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(perceptual_distance(a, a, features=features), 0.0, atol=1e-6)
    np.testing.assert_allclose(perceptual_distance(a, 1 - a, features=features), 2.0, atol=1e-6)
