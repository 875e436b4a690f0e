"""Cut an object out of any photograph, offline: GrabCut seeded by the border and the centre.

Rother, Kolmogorov, Blake: "GrabCut", SIGGRAPH 2004, in OpenCV's implementation. Its start is
not a rectangle drawn by hand but a saliency map: how unlike the border a colour is, times how
near the centre it lies.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hyperdemo.preprocess import regions

_WORK_SIDE = 256
_N_BORDER_COLOURS = 5
_N_ITERATIONS = 6
_SEED = 7


def segmentation_mask(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Mask in [0, 1] of the object in the middle of a photograph; possibly empty.

    The border counts as background. The same picture always gives the same mask.
    """
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    small_size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(rgb, small_size, interpolation=cv2.INTER_AREA)
    small = cv2.bilateralFilter(small, 5, 25.0, 2.0)  # calm the texture, keep the edges
    coarse = _grabcut(small, _saliency(small))
    coarse = regions.drop_specks(coarse, share=0.15)
    coarse = regions.fill_small_holes(coarse, share=0.03)
    if not coarse.any():
        return np.zeros((height, width), np.float32)
    return _refine(rgb, coarse)


def _saliency(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """In [0, 1]: distance in Lab to the nearest of the border's colours, near the centre."""
    height, width = rgb.shape[:2]
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255.0, cv2.COLOR_RGB2Lab)
    t = max(2, round(0.04 * max(height, width)))
    ring = [lab[:t], lab[-t:], lab[:, :t], lab[:, -t:]]
    samples = np.concatenate([part.reshape(-1, 3) for part in ring])
    cv2.setRNGSeed(_SEED)  # of this thread only
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    _, labels, centres = cv2.kmeans(
        samples, _N_BORDER_COLOURS, None, criteria, 2, cv2.KMEANS_PP_CENTERS
    )
    # A colour that is rare on the border may be the object, cut off there: it counts less.
    share = np.bincount(labels.ravel(), minlength=_N_BORDER_COLOURS) / len(labels)
    centres = centres[share > 0.06]
    distance = np.min(np.linalg.norm(lab[:, :, None, :] - centres[None, None], axis=-1), axis=-1)
    distance = cv2.GaussianBlur(distance, (0, 0), 1.5)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    centre_prior = np.exp(-(x**2 + y**2) / (2 * 0.45**2))
    saliency = (distance / max(float(np.percentile(distance, 99)), 1.0)).clip(0, 1)
    return ((0.35 + 0.65 * centre_prior) * (0.25 + 0.75 * saliency)).astype(np.float32)


def _grabcut(
    rgb: UInt8[np.ndarray, "h w 3"], saliency: Float[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    height, width = rgb.shape[:2]
    levels = np.round(255 * saliency / max(float(saliency.max()), 1e-6)).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    labels = np.where(levels > threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    t = max(1, round(0.01 * max(height, width)))
    for edge in (labels[:t], labels[-t:], labels[:, :t], labels[:, -t:]):
        edge[:] = cv2.GC_BGD
    if not (labels == cv2.GC_PR_FGD).any():
        return np.zeros((height, width), dtype=bool)
    cv2.setRNGSeed(_SEED)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(rgb, labels, None, background, foreground, _N_ITERATIONS, cv2.GC_INIT_WITH_MASK)
    return (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)


def _refine(
    rgb: UInt8[np.ndarray, "h w 3"], coarse: Bool[np.ndarray, "small_h small_w"]
) -> Float[np.ndarray, "h w"]:
    """The coarse mask at full size, its edge drawn to the picture's by a guided filter.

    He, Sun, Tang: "Guided image filtering", ECCV 2010, with the grey picture as guide.
    """
    height, width = rgb.shape[:2]
    mask = cv2.resize(coarse.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    guide = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255.0
    radius = max(2, round(max(height, width) / 128))
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.boxFilter(values, cv2.CV_32F, size)

    mean_guide, mean_mask = mean(guide), mean(mask)
    covariance = mean(guide * mask) - mean_guide * mean_mask
    variance = mean(guide * guide) - mean_guide**2
    slope = covariance / (variance + 1e-3)
    offset = mean_mask - slope * mean_guide
    guided = mean(slope) * guide + mean(offset)
    sharpened = np.clip((guided - 0.5) * 3.0 + 0.5, 0.0, 1.0)

    def enlarged(region: Bool[np.ndarray, "small_h small_w"]) -> Bool[np.ndarray, "h w"]:
        size = (width, height)
        return cv2.resize(region.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0

    # The filter acts near the coarse edge only.
    inside, near = enlarged(regions.erode(coarse, 3)), enlarged(regions.dilate(coarse, 3))
    return np.where(inside, 1.0, np.where(near, sharpened, 0.0)).astype(np.float32)
