"""Small masks, drawn out, of which the answer is plain to see."""

import numpy as np

from hyperdemo.preprocess import regions


def drawn(*rows):
    return np.array([[character == "#" for character in row] for row in rows])


RING = drawn(
    ".......",
    ".###.#.",
    ".#.#...",
    ".###...",
    ".......",
)


def test_small_holes_are_filled():
    filled = regions.fill_small_holes(RING, share=0.2)
    assert np.argwhere(filled != RING).tolist() == [[2, 2]]
    assert not regions.fill_small_holes(RING, share=0.05)[2, 2]


def test_touching_border():
    touching = regions.touching_border(~RING)
    assert touching[0, 0] and not touching[2, 2] and not touching[1, 1]
    assert not regions.touching_border(RING).any()


def test_connected_to():
    seed = np.zeros_like(RING)
    seed[1, 1] = True
    grown = regions.connected_to(RING, seed)
    assert grown.sum() == 8 and not grown[1, 5]


def test_drop_specks():
    assert not regions.drop_specks(RING, share=0.2)[1, 5]
    assert regions.drop_specks(RING, share=0.1)[1, 5]
    assert not regions.drop_specks(np.zeros((4, 4), bool), share=0.1).any()


def test_dilate_and_erode_keep_the_border():
    full = np.ones((9, 9), bool)
    assert regions.erode(full, 2).all()
    point = np.zeros((9, 9), bool)
    point[4, 4] = True
    assert regions.dilate(point, 2)[4].tolist() == [False] * 2 + [True] * 5 + [False] * 2


def test_local_mean_counts_only_what_is_asked_for():
    values = np.arange(25, dtype=np.float32).reshape(5, 5, 1).repeat(3, axis=2)
    where = np.zeros((5, 5), bool)
    where[0, :2] = True
    mean, known = regions.local_mean(values, where, radius=1)
    assert mean[1, 1].tolist() == [0.5] * 3 and known[1, 1]
    assert not known[4, 4]
