import dataclasses
import json

import pytest

from hyperdemo.config import (
    BackboneConfig,
    FieldConfig,
    ModelConfig,
    SoundFieldConfig,
    SoundRequest,
    ViewRequest,
    WhisperConfig,
)
from tests import tiny


def test_the_shipped_field_in_numbers():
    field = FieldConfig()
    assert field.encoded_dim == 63  # x, y, z, and a sine and a cosine each at 10 frequencies
    assert field.layer_shapes == ((63, 128), (128, 128), (128, 128), (128, 128), (128, 4))
    assert field.n_parameters == 8192 + 3 * 16512 + 516 == 58244


def test_a_sound_field_in_numbers():
    field = SoundFieldConfig(width=64, depth=3, n_freqs=16)
    assert field.layer_shapes == ((33, 64), (64, 64), (64, 1)) and field.encoded_dim == 33
    assert field.n_parameters == 2176 + 4160 + 65


def test_an_encoder_and_a_field_that_do_not_go_together():
    message = "the view task takes a BackboneConfig or ConvNetConfig, got WhisperConfig"
    with pytest.raises(ValueError, match=message):
        ModelConfig(backbone=WhisperConfig())
    for backbone in (
        WhisperConfig(window=16_000, inputs="mel"),
        WhisperConfig(window=80, inputs="raw", patch=80, patch_hop=80),
    ):
        message = rf"whole stretches: k·400 \+ 80 samples expected, got {backbone.window}"
        with pytest.raises(ValueError, match=message):
            ModelConfig(backbone=backbone, field=SoundFieldConfig(stretch=480))
    long = SoundFieldConfig(stretch=4080)
    with pytest.raises(ValueError, match="patch=4080 and patch_hop=4000 expected, got 480 and 400"):
        ModelConfig(backbone=WhisperConfig(), field=long)
    assert ModelConfig(backbone=WhisperConfig(tied=False), field=long).n_stretches == 4


def test_stretches_of_a_window():
    assert ModelConfig().n_stretches == 1
    config = ModelConfig(backbone=WhisperConfig(), field=SoundFieldConfig())
    assert config.n_stretches == 40 and config.field.stretch_s == 0.03
    whole = SoundFieldConfig(stretch=16_080)
    assert ModelConfig(backbone=WhisperConfig(inputs="mel"), field=whole).n_stretches == 1


def test_the_last_layer_has_no_more_tokens_than_outputs():
    assert ModelConfig().groups == (8, 8, 8, 8, 4)
    assert ModelConfig(field=FieldConfig(width=16, depth=2), n_groups=2).groups == (2, 2)


@pytest.mark.parametrize(
    "config",
    [
        ModelConfig(
            backbone=BackboneConfig(image_size=56, depth=3, overrides={"embed_dim": 48}),
            field=FieldConfig(width=32, max_log2_freq=3.0), n_groups=4, adapt="prompt", n_prompts=5,
        ),
        tiny.sound_config(n_groups=2, init="scratch"),
    ],
)  # fmt: skip
def test_comes_back_through_json(config):
    data = json.loads(json.dumps(config.to_dict()))
    assert ModelConfig.from_dict(data) == config and data["task"] == config.task
    assert ModelConfig.from_dict({}) == ModelConfig() and ModelConfig().task == "view"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"task": "smell"}, "task must be one of .*, got 'smell'"),
        ({"colour": 1}, "ModelConfig has no colour"),
        ({"field": {"widht": 8}}, "FieldConfig has no widht; it has .*width"),
        ({"backbone": {"patch": 8}}, "BackboneConfig has no patch"),
    ],
)
def test_an_unknown_key_or_task_is_named(data, message):
    with pytest.raises(ValueError, match=message):
        ModelConfig.from_dict(data)


@pytest.mark.parametrize(
    ("build", "changes", "message"),
    [
        (FieldConfig, {"width": 3}, "width must be at least 4, got 3"),
        (FieldConfig, {"depth": 1}, "depth must be from 2 to 64, got 1"),
        (FieldConfig, {"n_freqs": 0}, "n_freqs must be at least 1, got 0"),
        (FieldConfig, {"density_scale": 0.0}, "density_scale must be positive"),
        (SoundFieldConfig, {"stretch": 0}, "stretch must be positive"),
        (SoundFieldConfig, {"overlap": 601}, "to half a stretch of 480, got 601"),
        (SoundFieldConfig, {"overlap": -1}, "to half a stretch of 480, got -1"),
        (SoundFieldConfig, {"scale": -1.0}, "scale must be positive"),
        (SoundFieldConfig, {"width": 2}, "width must be at least 4, got 2"),
        (SoundFieldConfig, {"depth": 1}, "depth must be from 2 to 64, got 1"),
        (SoundFieldConfig, {"n_freqs": 0}, "n_freqs must be at least 1, got 0"),
        (SoundFieldConfig, {"max_freq_hz": 9.0}, "at least min_freq_hz, got 9.0"),
        (SoundFieldConfig, {"spacing": "mel"}, "spacing must be one of linear, log, got 'mel'"),
        (BackboneConfig, {"name": ""}, "name is empty"),
        (BackboneConfig, {"image_size": 7}, "image_size must be at least 8, got 7"),
        (BackboneConfig, {"depth": 0}, "depth must be ≥ 1, got 0"),
        (ModelConfig, {"init": "imagenet"}, "init must be one of .*'imagenet'"),
        (ModelConfig, {"adapt": "adapters"}, "adapt must be one of .*'adapters'"),
        (ModelConfig, {"n_groups": 3}, "n_groups=3 does not divide a layer of 128"),
        (ModelConfig, {"n_groups": 0}, "n_groups=0"),
        (ModelConfig, {"n_prompts": 0}, "n_prompts must be at least 1"),
        (ModelConfig, {"lora_rank": 0}, "lora_rank must be at least 1"),
        (ModelConfig, {"init": "scratch", "adapt": "frozen"}, "scratch encoder must train in full"),
        (ViewRequest, {"size": 14}, "even number of pixels from 16 to 1024, got 14"),
        (ViewRequest, {"size": 33}, "even number of pixels"),
        (ViewRequest, {"size": 1026}, "even number of pixels"),
        (ViewRequest, {"refine_steps": -1}, "refine_steps must be from 0 to 400, got -1"),
        (ViewRequest, {"refine_steps": 401}, "refine_steps must be from 0 to 400, got 401"),
        (ViewRequest, {"n_frames": 0}, "n_frames must be from 1 to 960, got 0"),
        (ViewRequest, {"fps": 121}, "fps must be from 1 to 120"),
        (ViewRequest, {"elevation_deg": 90.0}, "elevation_deg must be from -89 to 89"),
        (ViewRequest, {"elevation_deg": float("nan")}, "elevation_deg must be from -89 to 89"),
        (ViewRequest, {"renderer": "quick"}, "renderer must be 'exact' or 'fast', got 'quick'"),
        (ViewRequest, {"chunk_frames": 0}, "chunk_frames must be ≥ 1"),
        (SoundRequest, {"rate_hz": 7999}, "rate_hz must be from 8000 to 192000, got 7999"),
        (SoundRequest, {"rate_hz": 400_000}, "rate_hz must be from"),
        (ViewRequest, {"pose_size": 2000}, "pose_size must be from 16 to 1024"),
    ],
)
def test_what_cannot_be_is_refused_in_words(build, changes, message):
    with pytest.raises(ValueError, match=message):
        build(**changes)


@pytest.mark.parametrize("config", [FieldConfig(), ModelConfig(), BackboneConfig(), ViewRequest()])
def test_configs_are_frozen(config):
    name = dataclasses.fields(config)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, name, getattr(config, name))
