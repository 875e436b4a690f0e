import math

import torch

from hyperdemo.inr.encoding import fourier_features, frequencies


def test_frequencies_double_from_pi():
    expected = [math.pi * f for f in (1, 2, 4, 8, 16, 32)]
    torch.testing.assert_close(frequencies(6, 5.0), torch.tensor(expected))
    torch.testing.assert_close(frequencies(3, 1.0)[1], torch.tensor(math.pi * math.sqrt(2)))
    torch.testing.assert_close(frequencies(1, 5.0), torch.tensor([math.pi]))


def test_features_by_hand():
    freqs = torch.tensor([1.0, 3.0], dtype=torch.float64)
    points = torch.tensor([[0.1, -0.2, 0.7], [0.0, 1.0, -1.0]], dtype=torch.float64)
    for point, row in zip(points.tolist(), fourier_features(points, freqs).tolist(), strict=True):
        expected = list(point)
        for function in (math.sin, math.cos):
            for coordinate in point:
                expected += [function(coordinate * 1.0), function(coordinate * 3.0)]
        assert len(row) == 3 + 2 * 3 * 2
        torch.testing.assert_close(row, expected)


def test_leading_axes_are_kept():
    assert fourier_features(torch.zeros(2, 5, 3), torch.ones(4)).shape == (2, 5, 27)
    assert fourier_features(torch.zeros(0, 1), torch.ones(4)).shape == (0, 9)
