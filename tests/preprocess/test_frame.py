"""`frame_input` against resampling written out, and against what it must not depend on."""

import time

import numpy as np
import pytest

from hyperdemo.preprocess.frame import alpha_bounds, composite_on_white, frame_alpha, frame_input


def ellipse():
    """Straight RGBA with an antialiased ellipse of coloured noise, 70 high and 50 wide."""
    y, x = np.mgrid[:128, :128] + 0.5
    radius = np.hypot((y - 55) / 35, (x - 55) / 25)
    rgba = np.zeros((128, 128, 4), np.uint8)
    rgba[..., :3] = np.random.default_rng(0).integers(0, 256, (128, 128, 3))
    rgba[..., 3] = np.clip((1.02 - radius) * 30, 0, 1) * 255
    return rgba


def area_weights(n_in, n_out):
    """[n_out, n_in]: the share of each input pixel in each output pixel's interval."""
    start, stop = (n_in / n_out * (np.arange(n_out)[:, None] + end) for end in (0, 1))
    pixel = np.arange(n_in)
    shared = np.minimum(stop, pixel + 1) - np.maximum(start, pixel)
    return np.maximum(0.0, shared) * n_out / n_in


def slow_frame(rgba, size):
    """The same by definition: premultiply, average areas, then put on white."""
    rows, columns = np.where(rgba[..., 3] > 26)
    crop = rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] / 255.0
    alpha = crop[..., 3:]
    premultiplied = np.concatenate([crop[..., :3] * alpha, alpha], axis=-1)
    scale = 0.9 * size / max(crop.shape[:2])
    new = [int(np.floor(length * scale + 0.5)) for length in crop.shape[:2]]
    down, across = area_weights(crop.shape[0], new[0]), area_weights(crop.shape[1], new[1])
    small = np.einsum("ih,hwc,jw->ijc", down, premultiplied, across)
    out = np.ones((size, size, 3))
    y0, x0 = (size - new[0]) // 2, (size - new[1]) // 2
    out[y0 : y0 + new[0], x0 : x0 + new[1]] = small[..., :3] + 1.0 - small[..., 3:]
    return out * 255.0


@pytest.mark.parametrize("size", [17, 32, 53, 64])
def test_shrinking_is_area_averaging_in_premultiplied_colour(size):
    rgba = ellipse()
    framed = frame_input(rgba, size=size)
    assert framed.dtype == np.uint8 and framed.shape == (size, size, 3)
    assert np.abs(framed - slow_frame(rgba, size)).max() <= 0.51


def test_object_is_centred_and_fills_its_share():
    rgba, size = ellipse(), 112
    rgba[..., :3] = 40
    dark = frame_input(rgba, size=size).min(axis=-1) < 200
    rows, columns = np.where(dark.any(1))[0], np.where(dark.any(0))[0]
    assert rows[-1] - rows[0] + 1 == pytest.approx(0.9 * size, abs=0.02 * size)
    assert columns[-1] - columns[0] + 1 == pytest.approx(0.9 * size * 50 / 70, abs=0.02 * size)
    for span in (rows, columns):
        assert abs(span[0] - (size - 1 - span[-1])) <= 1


def test_position_and_hidden_colours_do_not_matter():
    here = ellipse()
    there = np.zeros((200, 180, 4), np.uint8)
    there[..., 1] = 255  # green, but transparent
    there[70:198, 40:168] = np.where(here[..., 3:] > 0, here, there[70:198, 40:168])
    np.testing.assert_array_equal(frame_input(here, size=112), frame_input(there, size=112))


def test_a_large_upload_resembles_the_small_rendering_of_the_same_object():
    """The point of sharing this function: scale is taken out before the network looks."""
    y, x = np.mgrid[:128, :128]
    small = ellipse()
    small[..., :3] = np.stack([2 * x, 2 * y, 255 - x - y], axis=-1)
    large = np.kron(small, np.ones((6, 6, 1), np.uint8))
    a, b = (frame_input(rgba, size=112).astype(float) for rgba in (small, large))
    assert np.abs(a - b).mean() < 2.0


def test_composite_on_white():
    pixels = np.array([[[0, 100, 255, 255], [0, 100, 255, 0], [0, 100, 255, 51]]], np.uint8)
    expected = [[[0, 100, 255], [255, 255, 255], [204, 224, 255]]]
    np.testing.assert_allclose(composite_on_white(pixels), expected, atol=1e-3)


def test_enlarging_stays_in_range_and_on_white():
    rgba = np.zeros((64, 64, 4), np.uint8)
    rgba[30:34, 28:36] = [255, 0, 0, 255]
    rgba[30:34, 32:36] = [0, 0, 255, 255]
    framed = frame_input(rgba, size=112)
    assert (framed[0] == 255).all() and framed[56, 20].tolist() == [255, 0, 0]


def test_it_is_fast_and_repeatable():
    rgba = ellipse()
    first, seconds = frame_input(rgba, size=112), []
    for _ in range(20):
        start = time.perf_counter()
        again = frame_input(rgba, size=112)
        seconds.append(time.perf_counter() - start)
        np.testing.assert_array_equal(again, first)
    assert min(seconds) < 2e-3  # 0.2 ms on a quiet core; the margin is for a busy machine


def test_bounds_ignore_faint_pixels():
    rgba = np.zeros((40, 50, 4), np.uint8)
    rgba[..., 3] = 20
    rgba[5:9, 7:30, 3] = 255
    assert alpha_bounds(rgba) == (5, 9, 7, 30)


@pytest.mark.parametrize(
    ("rgba", "size", "words"),
    [
        (np.zeros((32, 32, 4), np.uint8), 64, "every pixel is transparent"),
        (np.zeros((32, 32, 3), np.uint8), 64, "uint8 of shape"),
        (np.zeros((32, 32, 4), np.float32), 64, "float32"),
        (np.zeros((0, 32, 4), np.uint8), 64, "uint8 of shape"),
        ([[0]], 64, "NumPy array, got list"),
        (np.full((32, 32, 4), 255, np.uint8), 4, "at least 8"),
    ],
)
def test_bad_input_is_refused(rgba, size, words):
    with pytest.raises(ValueError, match=words):
        frame_input(rgba, size=size)


def test_the_alpha_of_a_frame_is_that_of_its_picture():
    """A half-transparent white square: the picture shows nothing, its alpha the square."""
    rgba = np.zeros((40, 60, 4), np.uint8)
    rgba[10:30, 20:40] = (255, 255, 255, 128)
    alpha = frame_alpha(rgba, size=40)
    assert (frame_input(rgba, size=40) == 255).all()
    expected = np.zeros((40, 40))
    expected[2:38, 2:38] = 128 / 255
    np.testing.assert_allclose(alpha, expected, atol=1 / 255)
