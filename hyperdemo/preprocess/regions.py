"""Connected regions of binary masks: which to keep, which holes to fill, how soft an edge."""

import cv2
import numpy as np
from jaxtyping import Bool, Float


def disc(radius: int) -> np.ndarray:
    """A structuring element of `2 * radius + 1` pixels a side."""
    side = 2 * radius + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))


def dilate(mask: Bool[np.ndarray, "h w"], radius: int) -> Bool[np.ndarray, "h w"]:
    return cv2.dilate(mask.astype(np.uint8), disc(radius)).astype(bool)


def erode(mask: Bool[np.ndarray, "h w"], radius: int) -> Bool[np.ndarray, "h w"]:
    # Outside the picture counts as inside the mask: an object cut by the frame stays cut there.
    return cv2.erode(mask.astype(np.uint8), disc(radius)).astype(bool)


def touching_border(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The part of `mask` that is connected (4 neighbours) to the picture's border."""
    border = np.ones_like(mask)
    border[1:-1, 1:-1] = False
    return connected_to(mask, mask & border)


def connected_to(
    mask: Bool[np.ndarray, "h w"], seed: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """The regions of `mask | seed` (4 neighbours) that hold a pixel of `seed`."""
    _, labels = cv2.connectedComponents((mask | seed).astype(np.uint8), connectivity=4)
    holds_seed = np.zeros(labels.max() + 1, dtype=bool)
    holds_seed[labels[seed]] = True
    return holds_seed[labels]


def drop_specks(mask: Bool[np.ndarray, "h w"], *, share: float) -> Bool[np.ndarray, "h w"]:
    """Keep the largest region (8 neighbours) and those of at least `share` of its area."""
    n_labels, labels, stats, _ = cv2.connectedComponentsWithStats(
        mask.astype(np.uint8), connectivity=8
    )
    if n_labels <= 1:
        return mask.copy()
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.float64)
    areas[0] = 0.0
    return (areas >= share * areas.max())[labels] & mask


def fill_small_holes(mask: Bool[np.ndarray, "h w"], *, share: float) -> Bool[np.ndarray, "h w"]:
    """Fill the holes, which no path joins to the border, of at most `share` of the mask's area."""
    holes = ~mask & ~touching_border(~mask)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(holes.astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] <= share * mask.sum()
    small[0] = False
    return mask | small[labels]


def soften(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """A mask in [0, 1] whose edge is about as soft as a photograph's."""
    return np.clip(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7), 0.0, 1.0)


def local_mean(
    values: Float[np.ndarray, "h w 3"], where: Bool[np.ndarray, "h w"], *, radius: int
) -> tuple[Float[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Mean of `values` over the pixels of `where` within a square, and where there are any."""
    size = (2 * radius + 1, 2 * radius + 1)
    weight = where.astype(np.float32)
    total = cv2.boxFilter(values * weight[..., None], cv2.CV_32F, size, normalize=False)
    count = cv2.boxFilter(weight, cv2.CV_32F, size, normalize=False)
    known = count > 0.5
    return total / np.maximum(count, 1.0)[..., None], known
