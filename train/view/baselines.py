"""The lower and upper bounds of the tables: trivial answers, and an INR fitted to the object.

- white, mean: the same picture for every question.
- nearest: the training object whose view looks most like the input to the untrained backbone,
  rendered from the target poses: real geometry, of another object.
- ceiling: an INR of the same architecture fitted to all views of the object but the targets.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hyperdemo.backbones import VitEncoder
from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams
from hyperdemo.learn.batches import near_object
from hyperdemo.learn.views import ViewSet
from hyperdemo.model import to_pixels
from hyperdemo.preprocess import composite_on_white
from hyperdemo.render.cameras import camera_rays
from hyperdemo.render.rays import RayLoss, render_rays
from train.objects.entries import Entry, read
from train.objects.furniture import normalise
from train.objects.rasterise import Rasteriser


def over_white(rgba: UInt8[np.ndarray, "*n 4"]) -> Float[np.ndarray, "*n 3"]:
    """Straight-alpha pictures over white, as floats in [0, 1]."""
    return composite_on_white(rgba) / 255


def mean_image(views: ViewSet, *, n_objects: int = 200) -> Float[np.ndarray, "h w 3"]:
    """Mean over training views, over white."""
    every = max(1, len(views) // n_objects)
    total = [over_white(views.rgba[k].numpy()).mean(axis=0) for k in range(0, len(views), every)]
    return np.mean(total, axis=0)


@torch.no_grad()
def picture_features(
    encoder: VitEncoder, framed: UInt8[Tensor, "n s s 3"], *, batch: int = 64
) -> Float[Tensor, "n d"]:
    """Unit-length class token and mean patch token of each framed picture, side by side."""
    parts = []
    for chunk in framed.split(batch):
        parts.append(whole_features(encoder, to_pixels(chunk, device=encoder.mean.device)))
    return torch.cat(parts)


@torch.no_grad()
def whole_features(encoder: VitEncoder, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b d"]:
    """`picture_features` of pictures that are at the encoder's size already."""
    tokens = patch_features(encoder, pixels)
    both = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=-1)
    return nn.functional.normalize(both, dim=-1)


@torch.no_grad()
def patch_features(encoder: VitEncoder, pixels: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b n d"]:
    """All normalised output tokens of a backbone, class token first, on the backbone's device."""
    x = encoder.embed(pixels.to(encoder.mean.device))
    for block in encoder.vit.blocks:
        x = block(x)
    return encoder.vit.norm(x)


def pixels_for(encoder: VitEncoder, pictures: np.ndarray) -> torch.Tensor:
    """Pictures `[t, h, w, 3]` in [0, 1] at the encoder's size."""
    tensor = torch.from_numpy(pictures.astype(np.float32)).permute(0, 3, 1, 2)
    size = tuple(encoder.vit.patch_embed.img_size)
    return interpolate(tensor, size=size, mode="bilinear", antialias=True)


class NearestObject:
    """Answers with the training object that looks most like the input.

    Args:
        encoder: the pretrained backbone, untouched by any training here.
        views: the training objects.
        pieces: the catalogue's entries, to render an object from any pose.
        stride: of the views of a training object that are compared.
    """

    def __init__(
        self, encoder: VitEncoder, views: ViewSet, pieces: Sequence[Entry], *, stride: int = 4
    ):
        self.encoder, self.views, self.stride = encoder, views, stride
        self.pieces = {piece.object_id: piece for piece in pieces}
        framed = views.framed[:, ::stride]
        self.n_compared = framed.shape[1]
        self.features = picture_features(encoder, framed.flatten(0, 1))
        self.rasteriser = Rasteriser(size=views.size, fov_deg=views.fov_deg)

    def find(self, framed: UInt8[Tensor, "s s 3"]) -> tuple[int, int]:
        """Index of the object and of the view of it that match best."""
        similarity = self.features @ picture_features(self.encoder, framed[None])[0]
        obj, view = divmod(int(similarity.argmax()), self.n_compared)
        return obj, view * self.stride

    def render(
        self, framed: UInt8[Tensor, "s s 3"], poses: Float[np.ndarray, "n 4 4"]
    ) -> UInt8[np.ndarray, "n h h 4"]:
        """The match as seen by poses in the frame of the input view."""
        obj, view = self.find(framed)
        mesh, textures = read(self.pieces[self.views.ids[obj]])
        turn_back = self.views.turns[obj, view].T.numpy()
        return self.rasteriser.render(normalise(mesh), turn_back @ poses, textures)


def fit_inr(
    config: FieldConfig,
    rgba: UInt8[Tensor, "v h h 4"],
    poses: Float[Tensor, "v 4 4"],
    *,
    fov_deg: float,
    steps: int = 400,
    rays: int = 512,
    samples: int = 32,
    lr: float = 5e-3,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> InrParams:
    """Fit the INR itself to views of one object by gradient descent: the ceiling.

    The weights are free, without the unit norm of generated ones. Half of the rays fall on or near
    the object: of uniform rays few would meet a thin one, and the fit would end in empty space.
    """
    rgba, poses = rgba.to(device), poses.to(device)
    generator = torch.Generator(device).manual_seed(seed)
    draw = {"generator": generator, "device": device}
    weights, biases = [], []
    for inputs, outputs in config.layer_shapes:
        weights.append(torch.randn(1, inputs, outputs, **draw) / inputs**0.5)
        biases.append(torch.zeros(1, outputs, device=device))
    biases[-1][0, 0] = -4.0
    for tensor in (*weights, *biases):
        tensor.requires_grad_()
    params = InrParams(tuple(weights), tuple(biases))
    optimizer = torch.optim.Adam([*params.weights, *params.biases], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    size = rgba.shape[1]
    near = near_object(rgba).flatten().nonzero()[:, 0]
    if not len(near):
        near = torch.arange(rgba.shape[0] * size**2, device=device)
    for _ in range(steps):
        anywhere = torch.randint(len(rgba) * size**2, (rays - rays // 2,), **draw)
        chosen = torch.randint(len(near), (rays // 2,), **draw)
        where = torch.cat([anywhere, near[chosen]])
        view, pixel = where // size**2, where % size**2
        pixel = torch.stack([pixel % size, pixel // size], dim=-1)
        origins, directions = camera_rays(
            poses[view], pixel[:, None].float() + 0.5, fov_deg=fov_deg, size=size
        )
        rendering = render_rays(
            config, params, origins.reshape(1, -1, 3), directions=directions.reshape(1, -1, 3),
            samples=samples, generator=generator,
        )  # fmt: skip
        truth = rgba[view, pixel[:, 1], pixel[:, 0]].float()[None] / 255
        loss, _ = RayLoss(alpha_weight=0.5, absolute_weight=0.0)(rendering, truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return params.detach()
