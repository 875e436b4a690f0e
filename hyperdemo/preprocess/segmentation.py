"""Cut an object out of any photograph, offline: a saliency map says where, GrabCut draws the edge.

Rother, Kolmogorov, Blake: "GrabCut", SIGGRAPH 2004, in OpenCV's implementation. Its start is not a
rectangle drawn by hand but a map of saliency: a learned one (`saliency`), and where that is not to
be had how unlike the border a colour is, times how near the centre it lies.
"""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hyperdemo.preprocess import regions
from hyperdemo.preprocess.saliency import saliency_map

_WORK_SIDE = 256
_N_BORDER_COLOURS = 5
_N_ITERATIONS = 6
_SEED = 7
_MIN_SALIENCY = 0.5  # below it the map found nothing


def segmentation_mask(
    rgb: UInt8[np.ndarray, "h w 3"],
) -> tuple[Float[np.ndarray, "h w"], Literal["saliency", "segmentation"]]:
    """Mask in [0, 1] of the object in a photograph, possibly empty; and the map it started from.

    The same picture always gives the same mask.
    """
    learned = saliency_map(rgb)
    if learned is not None and float(learned.max()) > _MIN_SALIENCY:
        mask = salient_mask(rgb, learned)
        if mask.any():
            return mask, "saliency"
    return colour_mask(rgb), "segmentation"


def salient_mask(
    rgb: UInt8[np.ndarray, "h w 3"],
    saliency: Float[np.ndarray, "h w"],
    *,
    shift: float = 0.0,
) -> Float[np.ndarray, "h w"]:
    """Mask in [0, 1] of what a learned map finds, its edge drawn to the picture's; possibly empty.

    The map sees more than colours, so GrabCut decides only near the map's own edge.

    Args:
        rgb: the picture.
        saliency: in [0, 1].
        shift: moves Otsu's threshold of the map, by this share of the way to its greatest value, or
            where negative to its least.
    """
    small = _at_work_size(rgb)
    height, width = small.shape[:2]
    levels = cv2.resize(saliency, (width, height), interpolation=cv2.INTER_AREA)
    counts = np.rint(255 * levels).astype(np.uint8)
    threshold = cv2.threshold(counts, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0] / 255
    end = float(levels.max() if shift > 0 else levels.min())
    threshold += abs(shift) * (end - threshold)
    start = _tidy(levels > threshold)
    labels = np.where(start, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[regions.erode(start, 4) | (start & (levels > 0.97 * levels.max()))] = cv2.GC_FGD
    labels[~regions.dilate(start, 3)] = cv2.GC_BGD
    return _refine(rgb, _tidy(_grabcut(small, labels, 2)))


def colour_mask(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"]:
    """Mask in [0, 1] of the object in the middle by its colours alone; possibly empty.

    The border counts as background.
    """
    small = _at_work_size(rgb)
    saliency = _saliency(small)
    levels = np.round(255 * saliency / max(float(saliency.max()), 1e-6)).astype(np.uint8)
    threshold, _ = cv2.threshold(levels, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    labels = np.where(levels > threshold, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    t = max(1, round(0.01 * max(small.shape[:2])))
    for edge in (labels[:t], labels[-t:], labels[:, :t], labels[:, -t:]):
        edge[:] = cv2.GC_BGD
    return _refine(rgb, _tidy(_grabcut(small, labels, _N_ITERATIONS)))


def _at_work_size(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "small_h small_w 3"]:
    height, width = rgb.shape[:2]
    scale = min(1.0, _WORK_SIDE / max(height, width))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return cv2.bilateralFilter(small, 5, 25.0, 2.0)  # calm the texture, keep the edges


def _tidy(coarse: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    kept = regions.drop_specks(coarse, share=0.15)
    return regions.fill_small_holes(kept, share=0.03)


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
    rgb: UInt8[np.ndarray, "h w 3"], labels: UInt8[np.ndarray, "h w"], n_iterations: int
) -> Bool[np.ndarray, "h w"]:
    """GrabCut from labels as OpenCV numbers them; the labels' own answer where one side is bare."""
    inside = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    if not inside.any() or inside.all():
        return inside
    labels = labels.copy()
    cv2.setRNGSeed(_SEED)
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(rgb, labels, None, background, foreground, n_iterations, cv2.GC_INIT_WITH_MASK)
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
