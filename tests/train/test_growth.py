"""A model of sound that gets higher frequencies goes on from what it knew."""

import dataclasses

import pytest
import torch

from hyperdemo.checkpoints import save_checkpoint
from hyperdemo.inr import sound_of_stretches
from hyperdemo.inr.sound import angular_frequencies
from hyperdemo.model import HyperModel
from tests import tiny
from train import growth
from train.config import SoundData, TrainConfig
from train.growth import grow, may_grow
from train.loop import new_model

LOW = dataclasses.replace(tiny.SOUND, n_freqs=6, min_freq_hz=200.0, max_freq_hz=1200.0)
HIGH = dataclasses.replace(LOW, n_freqs=10, max_freq_hz=2000.0)


def low_model(**changes):
    torch.manual_seed(3)
    return HyperModel(tiny.sound_config(init="scratch", field=LOW, **changes)).eval()


def grown_config(config, emphasis=0.0, **field):
    backbone = dataclasses.replace(config.backbone, emphasis=emphasis)
    return dataclasses.replace(config, field=dataclasses.replace(HIGH, **field), backbone=backbone)


def says(model, waves):
    config = model.config
    with torch.no_grad():
        return sound_of_stretches(config.field, model.encode(waves), n_stretches=config.n_stretches)


@pytest.mark.parametrize(("before", "emphasis"), [(0.0, 0.0), (0.0, 0.9), (0.6, 0.9)])
def test_what_it_knew_stays(before, emphasis, monkeypatch):
    small = low_model(backbone=dataclasses.replace(tiny.WHISPER, emphasis=before))
    waves = torch.randn(2, small.config.backbone.window) * 0.1
    monkeypatch.setattr(growth, "GAIN", 0.0)
    grown = grow(small, grown_config(small.config, emphasis))
    assert grown.config == grown_config(small.config, emphasis)
    # Silence what is new, by frequency and not by the order in which inputs are kept.
    new = (angular_frequencies(HIGH) > 2 * torch.pi * 1250).repeat(2)
    assert new.sum() == 8
    with torch.no_grad():
        grown.heads.base[0][1:][new] = 0
    assert torch.allclose(says(grown, waves), says(small, waves), atol=1e-6)


@pytest.mark.parametrize("emphasis", [0.0, 0.95])
def test_new_frequencies_reach_tokens_and_old_ones_reach_them_as_before(emphasis):
    small = low_model()
    with torch.no_grad():  # trained, it has no more directions than it needs
        u, s, v = torch.linalg.svd(small.encoder.patch_embed.weight, full_matrices=False)
        s[12:] *= 1e-3
        small.encoder.patch_embed.weight.copy_(u * s @ v)
    grown = grow(small, grown_config(small.config, emphasis))
    seconds = torch.arange(small.config.backbone.window) / 16000

    def tokens(model, hz):
        with torch.no_grad():
            return model.encoder.embed_patches(torch.sin(2 * torch.pi * hz * seconds)[None])[0]

    for hz in (1400.0, 2000.0):
        assert tokens(grown, hz).norm() > 3 * tokens(small, hz).norm()
    for hz in (200.0, 800.0):
        assert (tokens(grown, hz) - tokens(small, hz)).norm() < 0.1 * tokens(small, hz).norm()


def test_a_trained_model_sounds_nearly_as_before():
    small = low_model()
    with torch.no_grad():  # masks as large as training makes them
        small.heads.heads[0][1].weight *= 30
        small.heads.heads[0][1].bias *= 30
    waves = torch.randn(2, small.config.backbone.window) * 0.1
    grown = grow(small, grown_config(small.config))
    # Of tokens, all 24 numbers may change, so only what is written is looked at.
    grown.encoder.load_state_dict(small.encoder.state_dict())
    error = (says(grown, waves) - says(small, waves)).square().mean()
    assert 0 < error < 0.01 * says(small, waves).square().mean()


def test_base_weights_of_new_frequencies_are_of_the_old_size():
    small = low_model()
    with torch.no_grad():
        small.heads.base[0] *= 30
    base = grow(small, grown_config(small.config)).heads.base[0]
    rms = base[1:].reshape(2, 10, -1).square().mean((0, 2)).sqrt()
    assert torch.allclose(rms[6:].mean(), small.heads.base[0].square().mean().sqrt(), rtol=0.3)


def test_what_is_no_higher_field_is_refused():
    small = low_model()
    config = small.config
    assert may_grow(config, grown_config(config))
    assert may_grow(config, grown_config(config, emphasis=0.5))
    for other in (
        config,
        grown_config(config, width=32),
        grown_config(config, n_freqs=11),  # others between
        grown_config(config, spacing="log"),
        grown_config(config, n_freqs=13, max_freq_hz=2600.0),  # more than fit into 24 numbers
        dataclasses.replace(grown_config(config), n_groups=2),
        tiny.model_config(init="scratch"),
    ):
        assert not may_grow(config, other)
        with pytest.raises(ValueError, match="two numbers of a token for each"):
            grow(small, other)
    assert not may_grow(grown_config(config), config)


def test_a_run_starts_from_a_model_with_fewer_frequencies(tmp_path):
    small = low_model()
    save_checkpoint(small, tmp_path, name="sound-scratch", facts={})
    config = grown_config(small.config)
    start = str(tmp_path / "sound-scratch")
    model = new_model(TrainConfig(model=config, data=SoundData(stretches=3), start=start))
    assert model.config == config
    assert all(parameter.requires_grad for parameter in model.parameters())
    kept = model.heads.base[0][1:7]
    torch.testing.assert_close(kept, small.heads.base[0][1:7], atol=1e-3, rtol=1e-3)
