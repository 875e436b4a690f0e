"""A race of balls, whose tokens come from tiny encoders."""

import torch

from hyperdemo.learn.race_data import ARMS, RaceData
from hyperdemo.model import to_pixels
from tests import tiny
from tests.train import scenes

INPUTS = 6


def tokens_of(model, views, *, inputs=INPUTS):
    """What the encoder gives at the weight tokens, picture by picture."""
    with torch.no_grad():
        given = [
            model.encoder(to_pixels(framed[None]), model.heads.weight_tokens()[None])[0]
            for framed in views.framed[:, :inputs].flatten(0, 1)
        ]
    return torch.stack(given).unflatten(0, (len(views), inputs))


def race_data(*, n_objects=8, inputs=2):
    """Balls of three kinds, in turn, seen by two random encoders."""
    balls = [scenes.BALLS[k % 3] for k in range(n_objects)]
    views = scenes.views_of(balls, n_views=8)
    models = [tiny.model(seed, adapt="frozen") for seed in range(len(ARMS))]
    tokens = {
        arm: tokens_of(model, views, inputs=inputs) for arm, model in zip(ARMS, models, strict=True)
    }
    return RaceData(models[0].config, views, views.framed[:, 0], tokens)
