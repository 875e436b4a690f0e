"""Models small enough to run in milliseconds, and balls whose pictures are known in closed form."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from hyperdemo.config import (
    BackboneConfig,
    FieldConfig,
    ModelConfig,
    SoundFieldConfig,
    WhisperConfig,
)
from hyperdemo.inr import InrParams
from hyperdemo.model import HyperModel

BACKBONE = BackboneConfig(image_size=28, overrides=dict(depth=2, embed_dim=48, num_heads=3))
FIELD = FieldConfig(width=16, depth=3, n_freqs=4)
WHISPER = WhisperConfig(
    dim=24, n_heads=3, n_blocks=2, n_mels=8, max_frames=20, window=3280, patch=480, patch_hop=400
)
SOUND = SoundFieldConfig(stretch=480, overlap=80, width=16, depth=3, n_freqs=8)


def model_config(**changes):
    return ModelConfig(**{"backbone": BACKBONE, "field": FIELD, "n_groups": 4} | changes)


def sound_config(**changes):
    return ModelConfig(**{"backbone": WHISPER, "field": SOUND, "n_groups": 4} | changes)


def model(seed=0, **changes):
    """A hypernetwork in which nothing is left at its neutral start: no zeros, no ones."""
    return _roughened(model_config(**changes), seed)


def sound_model(seed=0, **changes):
    return _roughened(sound_config(**changes), seed)


def _roughened(config, seed):
    torch.manual_seed(seed)
    made = HyperModel(config).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        made.heads.biases[-1][0] = -1.0
    return made


def params(config=FIELD, *, batch=1, seed=5, dtype=torch.float32):
    """Random INRs with columns of unit norm, as generated ones have, and biases that matter."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=dtype)

    weights = tuple(F.normalize(normal(batch, i, o), dim=1) for i, o in config.layer_shapes)
    return InrParams(weights, tuple(0.3 * normal(batch, o) for _, o in config.layer_shapes))


class Ball:
    """A homogeneous ball as a field.

    Args:
        azimuth_deg, height, away: where the middle is: azimuth about y, y, distance from the axis.
    """

    def __init__(self, *, density, radius, rgb=(0.2, 0.5, 0.8), azimuth_deg=0.0, height=0, away=0):
        angle = math.radians(azimuth_deg)
        self.centre = np.array([away * math.sin(angle), height, away * math.cos(angle)])
        self.density, self.radius, self.rgb = density, radius, np.array(rgb)

    def __call__(self, points):
        apart = (points - torch.from_numpy(self.centre).to(points)).norm(dim=-1)
        inside = (apart < self.radius).to(points)
        return self.density * inside, torch.from_numpy(self.rgb).to(points).expand(len(points), 3)

    def chord(self, origins, directions):
        """Length of each ray inside the ball; unit directions, float64 arrays `[n, 3]`."""
        offset = self.centre - origins
        along = (offset * directions).sum(-1)
        across2 = (offset * offset).sum(-1) - along**2
        return 2 * np.sqrt(np.clip(self.radius**2 - across2, 0, None))

    def see(self, origins, directions):
        """Closed form: colour over white `[n, 3]` and opacity `[n]` along rays."""
        alpha = 1 - np.exp(-self.density * self.chord(origins, directions))
        return alpha[:, None] * self.rgb + 1 - alpha[:, None], alpha
