"""How far a rendering is from the truth: PSNR, SSIM and a perceptual distance."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from skimage.metrics import structural_similarity
from torch import Tensor


def psnr(image: np.ndarray, truth: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB: −10·log10 of the mean squared error, peak 1.

    Args:
        image, truth: `[h, w, 3]` (or any equal shape), uint8 or floats in [0, 1].

    Returns:
        Infinity for equal pictures.

    Raises:
        ValueError: the shapes differ.
    """
    a, b = _as_unit_floats(image, truth)
    mse = float(np.mean((a - b) ** 2))
    return math.inf if mse == 0 else -10.0 * math.log10(mse)


def ssim(image: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004) over colour channels, 1 for equal pictures.

    The paper's own constants: a Gaussian window of σ 1.5 over 11 pixels, K1 0.01, K2 0.03.

    Args:
        image, truth: `[h, w, 3]`, uint8 or floats in [0, 1], 11 pixels a side at least.

    Raises:
        ValueError: the shapes differ, or the pictures are smaller than the window.
    """
    a, b = _as_unit_floats(image, truth)
    return float(
        structural_similarity(
            a, b, channel_axis=-1, data_range=1.0, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False,
        )
    )  # fmt: skip


@torch.no_grad()
def perceptual_distance(
    image: Float[Tensor, "b 3 h w"],
    truth: Float[Tensor, "b 3 h w"],
    *,
    features: Callable[[Tensor], Float[Tensor, "b n d"]],
) -> Float[Tensor, " b"]:
    """Mean over patches of 1 − cos between the features of two pictures, in [0, 2].

    It sees what plain pixel errors forgive: blur, and parts that are missing. Any encoder of
    patches serves; the results say which one was used.
    """
    a, b = features(image), features(truth)
    return 1.0 - torch.nn.functional.cosine_similarity(a, b, dim=-1).mean(dim=-1)


def _as_unit_floats(*images: np.ndarray) -> tuple[np.ndarray, ...]:
    shapes = {np.shape(image) for image in images}
    if len(shapes) != 1:
        raise ValueError(f"pictures of one shape expected, got {sorted(shapes)}")
    return tuple(
        image.astype(np.float64) / 255.0 if image.dtype == np.uint8 else image.astype(np.float64)
        for image in map(np.asarray, images)
    )
