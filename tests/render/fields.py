"""Fields to render, and a slow renderer that all fast ones are compared with."""

import math

import numpy as np
import torch
from scipy import ndimage

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams, as_field
from tests import tiny


def soft_ball(points, radius=0.5, softness=0.02, peak=60.0):
    distance = points.norm(dim=-1)
    return peak * torch.sigmoid((radius - distance) / softness), points * 0.5 + 0.5


def thin_rod(points):
    """A rod along y, off the middle and about one node of a 64 grid across."""
    across = (points[:, 0] - 0.313).abs().maximum((points[:, 2] + 0.127).abs())
    inside = (across < 0.017) & (points[:, 1].abs() < 0.8)
    return 80.0 * inside, torch.full_like(points, 0.25)


def waves(points):
    """Haze that swells and fades, and colours that do so faster."""
    density = 3.0 + 2.0 * torch.sin(4.0 * points).prod(dim=-1)
    return density, 0.5 + 0.5 * torch.sin(12.0 * points)


def constant(density):
    """A black field of the same density everywhere."""
    return lambda points: (torch.full_like(points[:, 0], density), torch.zeros_like(points))


nothing = constant(0.0)


def random_field():
    """A random small MLP: some of the sphere dense, some clear, colours that vary."""
    config = FieldConfig(width=16, depth=3, n_freqs=3, max_log2_freq=1.0, density_scale=30.0)
    params = tiny.params(config, seed=1)
    biases = [torch.zeros_like(bias) for bias in params.biases]
    biases[-1][..., 0] = -2.0
    weights = (*params.weights[:-1], 8.0 * params.weights[-1])
    return as_field(config, InrParams(weights, tuple(biases)))


def on_grid(density, rgb):
    """The field between the nodes of a grid over [-1, 1]³, as SciPy interpolates."""
    channels = [density, *np.moveaxis(np.asarray(rgb, float), -1, 0)]

    def field(points):
        places = (points.numpy().T + 1) * 0.5 * (len(density) - 1)
        found = [ndimage.map_coordinates(c, places, order=1, output=float) for c in channels]
        return torch.from_numpy(found[0]), torch.from_numpy(np.stack(found[1:], axis=-1))

    return field


def composite_by_hand(density, rgb, distances, delta):
    """Colour over white, opacity and depth of one ray, sample by sample."""
    colour, alpha, depth, transmittance = np.zeros(3), 0.0, 0.0, 1.0
    for sigma, c, t in zip(density, rgb, distances, strict=True):
        here = 1 - math.exp(-sigma * delta)
        colour += transmittance * here * c
        alpha += transmittance * here
        depth += transmittance * here * t
        transmittance *= 1 - here
    return colour + 1 - alpha, alpha, depth / max(alpha, 1e-8)


def naive_view(field, pose, *, fov_deg, size, n_samples):
    """Colour, opacity and depth of each pixel, one ray after the other, in float64.

    Args:
        n_samples: from the length of a ray within the unit sphere to its number of samples.
    """
    focal = 0.5 * size / math.tan(math.radians(fov_deg) / 2)
    rgb, alpha, depth = np.ones((size, size, 3)), np.zeros((size, size)), np.zeros((size, size))
    turn, eye = pose[:3, :3].astype(float), pose[:3, 3].astype(float)
    for row, column in np.ndindex(size, size):
        local = np.array([(column + 0.5 - size / 2) / focal, (size / 2 - row - 0.5) / focal, -1.0])
        ray = turn @ local / np.linalg.norm(local)
        middle = -ray @ eye
        inside = 1 - eye @ eye + middle**2
        if inside <= 0:
            continue
        length = 2 * math.sqrt(inside)
        n = n_samples(length)
        distances = middle + length * ((np.arange(n) + 0.5) / n - 0.5)
        density, colours = field(torch.from_numpy(eye + ray * distances[:, None]))
        rgb[row, column], alpha[row, column], depth[row, column] = composite_by_hand(
            density.tolist(), colours.numpy(), distances, length / n
        )
    return rgb, alpha, depth
