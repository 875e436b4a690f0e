import json
import math

import pytest
import torch
from safetensors.torch import save_file

from hyperdemo.backbones import SpectrogramVit, build_encoder, build_vit
from hyperdemo.config import ModelConfig, SpectrogramConfig
from hyperdemo.model import HyperModel
from tests import tiny

CONFIG = SpectrogramConfig(vit=tiny.BACKBONE, n_mels=28, window=3280)


def noise(batch=2):
    return 0.1 * torch.randn(batch, 3280, generator=torch.Generator().manual_seed(2))


def test_the_picture_shows_time_to_the_right_and_pitch_upwards():
    time = torch.arange(3280) / 16_000
    rising = torch.where(time < 0.1, 300 * time, 3000 * time)  # low, then high
    picture = SpectrogramVit(CONFIG).picture(0.1 * torch.sin(2 * math.pi * rising)[None])
    assert picture.shape == (1, 3, 28, 28)
    assert picture.min() >= 0 and picture.max() <= 1 and picture.max() > 0.9
    rows = picture[0, 0].argmax(0)  # from the top
    assert rows[:10].float().mean() > rows[18:].float().mean() + 3
    torch.testing.assert_close(picture[:, 0], picture[:, 2])
    louder = SpectrogramVit(CONFIG).picture(0.05 * torch.sin(2 * math.pi * rising)[None])
    torch.testing.assert_close(louder, picture, atol=2e-3, rtol=0)


def test_it_is_the_vit_of_the_picture_with_patches_in_the_tokens():
    made = SpectrogramVit(CONFIG).eval()
    wave, extra = noise(), torch.randn(2, 24, 48)
    out = made(wave, extra)
    added = extra.clone()
    for k in range(8):
        patch = wave[:, 400 * k : 400 * k + 480] @ made.patch_embed.weight.T
        added[:, 3 * k : 3 * k + 3] += (patch + made.patch_embed.bias)[:, None]
    torch.testing.assert_close(out, made.eye(made.picture(wave), added), atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="windows of 3280 samples expected, got 3000"):
        made(wave[:, :3000], extra)


def test_a_hypernetwork_writes_sound_with_it(tmp_path):
    config = ModelConfig(backbone=CONFIG, field=tiny.SOUND, n_groups=1, adapt="frozen")
    again = ModelConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config and config.task == "sound" and config.n_stretches == 8
    model = HyperModel(config)
    params = model.encode(noise())
    assert len(params) == 16 and 0.1 < model.heads.positions.abs().max() <= 0.15
    encoder, own = model.parameter_groups()
    assert not encoder and any(p is model.encoder.patch_embed.weight for p in own)
    params.weights[-1].square().sum().backward()
    assert model.encoder.patch_embed.weight.grad.abs().max() > 0


def test_pretrained_weights_are_the_vit_s(tmp_path):
    state = {k: v.contiguous() for k, v in build_vit(tiny.BACKBONE).vit.state_dict().items()}
    save_file(state, tmp_path / "vit.safetensors")
    made = build_encoder(CONFIG, pretrained=tmp_path / "vit.safetensors")
    torch.testing.assert_close(dict(made.eye.vit.state_dict()), state, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"window": 200}, "at least 201 samples for mel frames, got 200"),
        ({"inputs": "raw"}, "takes inputs='both' and tied=True"),
        ({"patch": 0}, "patch must be at least 1"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        SpectrogramConfig(**changes)
