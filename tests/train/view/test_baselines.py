from types import SimpleNamespace

import numpy as np
import pytest
import torch

from hyperdemo.backbones import build_vit
from hyperdemo.config import FieldConfig
from hyperdemo.inr import as_field
from hyperdemo.metrics import psnr
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.quadrature import render_view
from tests import tiny
from tests.train import scenes
from train.view import baselines
from train.view.baselines import (
    NearestObject,
    fit_inr,
    mean_image,
    patch_features,
    picture_features,
)


@pytest.fixture(scope="module")
def views():
    return scenes.views_of(n_views=8)


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(0)
    return build_vit(tiny.BACKBONE).eval()


def test_the_mean_image_is_the_mean(views):
    pictures = scenes.on_white(views.rgba)
    np.testing.assert_allclose(mean_image(views), pictures.mean((0, 1)), atol=1e-5)
    np.testing.assert_allclose(mean_image(views, n_objects=1), pictures[0].mean(0), atol=1e-5)


def test_patch_features_are_timm_s_own(encoder):
    pixels = torch.rand(2, 3, 28, 28)
    expected = encoder.vit.forward_features((pixels - encoder.mean) / encoder.std)
    torch.testing.assert_close(patch_features(encoder, pixels), expected)


def test_picture_features_by_hand(encoder, views):
    framed = views.framed[0, :3]
    found = picture_features(encoder, framed, batch=2)
    assert found.shape == (3, 96)
    for row, picture in zip(found, framed, strict=True):
        tokens = patch_features(encoder, picture.permute(2, 0, 1)[None].float() / 255)[0]
        both = torch.cat([tokens[0], (tokens[1] + tokens[2] + tokens[3] + tokens[4]) / 4])
        torch.testing.assert_close(row, both / both.norm())


class Catalogue:
    """Stands in for the rasteriser: remembers what it was asked to render."""

    def __init__(self, *, size, fov_deg):
        self.size, self.fov_deg = size, fov_deg

    def render(self, mesh, poses, textures):
        self.asked = mesh, poses, textures
        return np.zeros((len(poses), self.size, self.size, 4), np.uint8)


@pytest.fixture
def nearest(encoder, views, monkeypatch):
    monkeypatch.setattr(baselines, "Rasteriser", Catalogue)
    monkeypatch.setattr(baselines, "read", lambda p: (f"mesh of {p.object_id}", "textures"))
    monkeypatch.setattr(baselines, "normalise", lambda mesh: f"normalised {mesh}")
    entries = [SimpleNamespace(object_id=name) for name in ("other", *views.ids)]
    return NearestObject(encoder, views, entries, stride=2)


def test_the_nearest_object_is_the_one_whose_view_it_was(nearest, views):
    # All but the colour is cropped away, and one ball looks alike from everywhere.
    assert nearest.features.shape == (3 * 4, 96)
    for obj in range(3):
        found, view = nearest.find(views.framed[obj, 3])
        assert found == obj and view in (0, 2, 4, 6)
    unlike = torch.randint(0, 256, (28, 28, 3), dtype=torch.uint8)
    views.framed[2, 4] = unlike  # in the set: found at its own place
    again = NearestObject(nearest.encoder, views, list(nearest.pieces.values()), stride=2)
    assert again.find(unlike) == (2, 4)


def test_the_nearest_object_is_turned_as_its_view_stood(nearest, views):
    poses = np.stack([look_at_origin(0.0, 10.0), look_at_origin(75.0, -20.0)])
    obj, view = nearest.find(views.framed[1, 0])
    shown = nearest.render(views.framed[1, 0], poses)
    mesh, asked, textures = nearest.rasteriser.asked
    assert mesh == f"normalised mesh of ball-{obj}" and textures == "textures"
    azimuth = float(scenes.angles(8, 31.0 * obj)[view, 0])
    np.testing.assert_allclose(asked[0], look_at_origin(azimuth, 10.0), atol=1e-5)
    np.testing.assert_allclose(asked[1], look_at_origin(azimuth + 75.0, -20.0), atol=1e-5)
    assert shown.shape == (2, 32, 32, 4) and nearest.rasteriser.fov_deg == 40.0


@pytest.mark.parametrize(
    ("radius", "lr", "white", "least"),
    [
        (0.4, 2e-2, 15, 22),
        # With rays that fall anywhere this fit ends in empty space, at 20 dB.
        (0.2, 8e-3, 19, 25),
    ],
)
def test_a_fitted_inr_shows_a_ball_from_where_it_was_not_seen(radius, lr, white, least):
    views = scenes.views_of([scenes.BALLS[0] | {"radius": radius}], n_views=8)
    config = FieldConfig(width=32, depth=3, n_freqs=3, max_log2_freq=1.0)
    kept = [0, 1, 2, 4, 5, 6, 7]
    params = fit_inr(
        config, views.rgba[0, kept], views.poses[0, kept], fov_deg=40.0, steps=120, rays=256,
        samples=24, lr=lr,
    )  # fmt: skip
    seen = render_view(as_field(config, params), views.poses[0, 3], fov_deg=40.0, size=32)
    truth = scenes.on_white(views.rgba[0, 3])
    assert psnr(np.ones_like(truth), truth) < white
    assert psnr(seen.rgb.numpy(), truth) > least
    assert not any(t.requires_grad for t in params.tensors().values())
