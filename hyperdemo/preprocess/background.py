"""Cut an object out of a plain background: a wall, a sheet of paper, a shop's white."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from hyperdemo.preprocess import regions

# CIE Lab distances: about 2 is just noticeable side by side.
_INLIER = 8.0  # a border pixel this close to the fitted background belongs to it
_MIN_INLIERS = 0.7  # the object may cross the border: a cup cut off below, say
_MAX_NOISE = 3.5  # scatter about the fit above which a background is a texture, not plain
# JPEG blocks and sensor noise must not reach the thresholds: blur, and more where need be.
_BLURS = (0.8, 1.6, 3.0)  # sigma in pixels
_QUIET = 1.3  # noise that needs no more blur
_NEUTRAL_CHROMA = 12.0  # a background less colourful than this counts as white or grey
_CALM_SLOPE = 0.6  # in L per pixel: backgrounds vary less than this, surfaces seldom do
_SIDE_PX = 512  # lengths below are in pixels of a picture of this size
# Greatest chroma off the background's, greatest slope in L per pixel, least width in pixels.
_SHADOW_LIMITS = ((4.0, 1.3, 4), (2.5, 1.0, 4))


def background_mask(rgb: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "h w"] | None:
    """Mask in [0, 1] of what differs from a plain background; None if the border is not plain.

    The background's colour is a quadratic in x and y, fitted robustly to the border, so that
    a gradient of light or a vignette does not matter. The background is what resembles it
    *and* is connected to the border, so white parts inside an object stay; soft shadows count as
    background. The mask may be empty.
    """
    scale = max(rgb.shape[:2]) / _SIDE_PX
    for sigma in _BLURS:
        smooth = cv2.GaussianBlur(rgb, (0, 0), sigma * max(1.0, scale)).astype(np.float32)
        lab = cv2.cvtColor(smooth / 255.0, cv2.COLOR_RGB2Lab)
        fit = _fit_background(lab)
        if fit is None:
            return None
        plain, noise = fit
        if noise < _QUIET:
            break
    distance = np.linalg.norm(lab - plain, axis=-1)
    tolerance = float(np.clip(3.0 + 3.0 * noise, 5.0, 12.0))
    slope = _lightness_slope(lab, scale=scale)
    background = _flood(distance < tolerance, slope, scale=scale)
    background = _without_shadow(background, lab, plain, slope, scale=scale)
    object_ = regions.drop_specks(~background, share=0.01)
    object_ = _open_holes(object_, lab, plain, slope)
    return _matte(rgb, object_, plain)


def _fit_background(lab: np.ndarray) -> tuple[np.ndarray, float] | None:
    """The background's colour everywhere, [h, w, 3], and its noise; None if not plain."""
    height, width = lab.shape[:2]
    ring = np.ones((height, width), dtype=bool)
    thickness = max(2, round(0.015 * max(height, width)))
    ring[thickness:-thickness, thickness:-thickness] = False
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    rows, colours = basis[ring].astype(np.float64), lab[ring].astype(np.float64)
    inlier = np.linalg.norm(colours - np.median(colours, axis=0), axis=-1) < 2.5 * _INLIER
    residual = np.full(len(rows), np.inf)
    for _ in range(6):
        if inlier.mean() < 0.5:
            return None
        solution, *_ = np.linalg.lstsq(rows[inlier], colours[inlier], rcond=None)
        residual = np.linalg.norm(colours - rows @ solution, axis=-1)
        inlier = residual < _INLIER
    noise = float(np.sqrt(np.mean(residual[inlier] ** 2))) if inlier.any() else np.inf
    if inlier.mean() < _MIN_INLIERS or noise > _MAX_NOISE:
        return None
    return (basis @ solution.astype(np.float32)), noise


def _flood(
    similar: Bool[np.ndarray, "h w"], slope: np.ndarray, *, scale: float
) -> Bool[np.ndarray, "h w"]:
    """`similar` pixels connected to the border by paths that are smooth and not too narrow.

    An object of the background's colour has folds and shading, the background has none.
    """
    rim = max(2, round(4 * scale))  # beside an edge the background is not smooth either
    calm = cv2.blur(slope, (rim + 1, rim + 1)) < _CALM_SLOPE
    smooth = regions.touching_border(regions.erode(similar & calm, max(1, round(scale))))
    return regions.connected_to(regions.dilate(smooth, 2 * rim) & similar, smooth)


def _without_shadow(
    background: Bool[np.ndarray, "h w"],
    lab: np.ndarray,
    plain: np.ndarray,
    slope: np.ndarray,
    *,
    scale: float,
) -> Bool[np.ndarray, "h w"]:
    """Grow the background into soft shadows: darker, of the same hue, without an edge.

    A pale object on a pale ground resembles a shadow, too. When the growth would swallow
    most of the object, stricter limits are tried, and in the end none.
    """
    darker, chroma = _as_shadow(lab, plain)
    for max_chroma, max_slope, gap in _SHADOW_LIMITS:
        shadow = (darker > -3.0) & (darker < 40.0) & (chroma < max_chroma) & (slope < max_slope)
        grown = _grow(background, shadow & ~background, radius=max(gap, round(gap * scale)))
        if (~grown).sum() >= 0.5 * (~background).sum():
            return grown
    return background


def _as_shadow(lab: np.ndarray, plain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much darker than the background, in L, and how far off its hue, in Lab chroma.

    A shadow scales all channels alike, hence chroma falls in proportion with lightness.
    """
    ratio = np.clip(lab[..., 0] / np.maximum(plain[..., 0], 1.0), 0.0, 1.0)
    chroma = np.linalg.norm(lab[..., 1:] - ratio[..., None] * plain[..., 1:], axis=-1)
    return plain[..., 0] - lab[..., 0], chroma


def _grow(
    seed: Bool[np.ndarray, "h w"], into: Bool[np.ndarray, "h w"], *, radius: int
) -> Bool[np.ndarray, "h w"]:
    """`seed` and what of `into` is connected to it by wide passages.

    Through a gap of a pixel in a faint outline it would flood the whole object.
    """
    wide = regions.dilate(regions.erode(into | seed, radius), radius) & into
    grown = regions.connected_to(wide, seed)
    return grown | (regions.dilate(grown, radius) & into)


def _open_holes(
    object_: Bool[np.ndarray, "h w"], lab: np.ndarray, plain: np.ndarray, slope: np.ndarray
) -> Bool[np.ndarray, "h w"]:
    """Open enclosed parts that show the background, as within a cup's handle.

    Not on white, where they look the same either way and objects have white parts. On grey only
    parts as uniform as a background, since objects have grey parts too.
    """
    lightness, a, b = plain.reshape(-1, 3).mean(axis=0)
    coloured = np.hypot(a, b) > _NEUTRAL_CHROMA
    if lightness > 90.0 and not coloured:
        return object_
    darker, chroma = _as_shadow(lab, plain)
    deepest, max_chroma = (40.0, 5.0) if coloured else (8.0, 2.5)
    inside = object_ & (darker > -5.0) & (darker < deepest) & (chroma < max_chroma)
    inside = regions.dilate(regions.erode(inside, 2), 2) & inside
    n_labels, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8))
    calm = np.bincount(labels.ravel(), (slope < _CALM_SLOPE).ravel(), minlength=n_labels)
    areas = stats[:, cv2.CC_STAT_AREA]
    opened = (areas > 0.002 * object_.sum()) & (calm > (0.3 if coloured else 0.7) * areas)
    opened[0] = False
    return object_ & ~opened[labels]


def _matte(
    rgb: UInt8[np.ndarray, "h w 3"], object_: Bool[np.ndarray, "h w"], plain: np.ndarray
) -> Float[np.ndarray, "h w"]:
    """Opacity along the edge from the mixing equation I = a F + (1 - a) B.

    B is the fitted background, F the object's mean colour a few pixels further in.
    """
    mask = regions.soften(object_)
    band = regions.dilate(object_, 2) & ~regions.erode(object_, 2)
    inner = regions.erode(object_, 3)
    image = rgb.astype(np.float32) / 255.0
    behind = cv2.cvtColor(plain.astype(np.float32), cv2.COLOR_Lab2RGB)
    front, known = regions.local_mean(image, inner, radius=5)
    span = front - behind
    contrast = (span**2).sum(axis=-1)
    mixed = ((image - behind) * span).sum(axis=-1) / np.maximum(contrast, 1e-6)
    use = band & known & (contrast > 0.03)
    mask[use] = np.clip(mixed[use], 0.0, 1.0)
    return mask


def _lightness_slope(lab: np.ndarray, *, scale: float) -> Float[np.ndarray, "h w"]:
    """Size of L's gradient, in L per pixel of a picture of `_SIDE_PX`."""
    slope_x = cv2.Sobel(lab[..., 0], cv2.CV_32F, 1, 0, scale=0.125)
    slope_y = cv2.Sobel(lab[..., 0], cv2.CV_32F, 0, 1, scale=0.125)
    return np.hypot(slope_x, slope_y) * np.float32(scale)
