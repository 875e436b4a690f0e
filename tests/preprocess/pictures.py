"""Synthetic photographs of which the true mask is known."""

import io

import cv2
import numpy as np
from PIL import Image

HEIGHT, WIDTH = 240, 320
RED = np.broadcast_to([190.0, 50.0, 45.0], (HEIGHT, WIDTH, 3))


def blob_mask(height=HEIGHT, width=WIDTH):
    """An antialiased outline with bulges, off the centre."""
    y, x = np.mgrid[:height, :width]
    dy, dx = (y - 0.52 * height) / height, (x - 0.48 * width) / height
    angle = np.arctan2(dy, dx)
    radius = 0.28 + 0.05 * np.cos(3 * angle) + 0.03 * np.sin(5 * angle)
    return np.clip((radius - np.hypot(dy, dx)) * height, 0, 1)


def object_colours(height=HEIGHT, width=WIDTH):
    """Red with a shaded side and a broad white label in the middle."""
    y, x = np.mgrid[:height, :width] / height
    colours = np.stack([190 - 60 * x, 50 + 40 * y, 45 + 0 * x], axis=-1)
    label = (np.abs(y - 0.5) < 0.06) & (np.abs(x - 0.65) < 0.12)
    colours[label] = 252
    return colours


def background(kind, height=HEIGHT, width=WIDTH):
    y, x = np.mgrid[:height, :width] / height
    one = np.ones_like(x)
    if kind == "white":
        return np.stack([254 * one] * 3, axis=-1)
    if kind == "gradient":
        return np.stack([205 + 30 * x - 40 * y, 210 + 25 * x - 35 * y, 220 - 30 * y], axis=-1)
    if kind == "blue":
        return np.stack([60 + 10 * x, 110 + 20 * y, 180 + 0 * x], axis=-1)
    noise = np.random.default_rng(3).normal(size=(height, width))
    rough = cv2.GaussianBlur(noise, (0, 0), 2.5)
    rough = 24 * rough / rough.std()
    return np.stack([70 + rough, 110 + rough, 80 + 0.7 * rough], axis=-1)  # "grass"


def photograph(kind, *, shadow=0.0, noise=2.0, jpeg_quality=85, mask=None, colours=None):
    """uint8 RGBA (opaque) of the object before a background, as a camera would save it."""
    mask = blob_mask() if mask is None else mask
    colours = object_colours(*mask.shape) if colours is None else colours
    behind = background(kind, *mask.shape)
    if shadow:
        shade = cv2.GaussianBlur(np.roll(mask, (8, 10), (0, 1)), (0, 0), 9)
        behind = behind * (1 - shadow * shade[..., None])
    mixed = colours * mask[..., None] + behind * (1 - mask[..., None])
    mixed = mixed + np.random.default_rng(0).normal(size=mixed.shape) * noise
    buffer = io.BytesIO()
    rgb = np.clip(mixed, 0, 255).astype(np.uint8)
    Image.fromarray(rgb).save(buffer, "JPEG", quality=jpeg_quality)
    return np.asarray(Image.open(buffer).convert("RGBA"))


def overlap(mask, truth):
    """Intersection over union of two masks, cut at one half."""
    a, b = mask > 0.5, truth > 0.5
    return (a & b).sum() / (a | b).sum()
