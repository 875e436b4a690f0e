import json

import pytest

from train.config import CONFIG_DIR, SoundData, TrainConfig, ViewData, load_config


def test_comes_back_through_json():
    config = TrainConfig(steps=7, train_share=0.5, data=ViewData(rays=3))
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    assert TrainConfig.from_dict({}) == TrainConfig()


@pytest.mark.parametrize("path", sorted(CONFIG_DIR.glob("*.toml")), ids=lambda path: path.stem)
def test_every_config_that_is_shipped_is_whole(path):
    config = load_config(path.stem)
    assert load_config(str(path)) == config
    backbone = getattr(config.model.backbone, "vit", config.model.backbone)
    if "patch14" in backbone.name:
        assert backbone.image_size % 14 == 0
    assert config.warmup < config.steps


def test_old_names_of_the_sound_task_are_understood():
    for name in ("cpu", "vit"):
        assert load_config(f"audio-{name}") == load_config(f"sound-{name}")
    old = TrainConfig.from_dict({"model": {"task": "audio"}, "data": {"stretches": 3}})
    assert old.to_dict()["model"]["task"] == "sound"


def test_a_file_names_only_what_differs_and_overrides_win(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("lr = 1e-3\n[model]\nn_groups = 4\n[model.backbone]\nimage_size = 56\n")
    overrides = {"lr": 2.0, "model.init": "scratch", "model.field.width": 32}
    config = load_config(str(path), overrides=overrides)
    assert load_config(str(path)).lr == 1e-3 and config.lr == 2.0
    assert config.model.init == "scratch" and config.model.field.width == 32
    assert config.model.n_groups == 4 and config.model.backbone.image_size == 56
    assert config.steps == TrainConfig().steps
    assert config.model.backbone.name == TrainConfig().model.backbone.name


def test_unknown_names_and_broken_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no training config 'view-cpus'; there are .*view-cpu"):
        load_config("view-cpus")
    with pytest.raises(ValueError, match="no training config"):
        load_config(str(tmp_path / "none.toml"))
    with pytest.raises(ValueError, match=r"a training config has no \['colour'\]"):
        TrainConfig.from_dict({"colour": 1})
    with pytest.raises(ValueError, match=r"its data has no \['colour'\]"):
        TrainConfig.from_dict({"data": {"colour": 1}})
    with pytest.raises(ValueError, match="ModelConfig has no colour"):
        TrainConfig.from_dict({"model": {"colour": 1}})
    (tmp_path / "bad.toml").write_text("lr = ")
    with pytest.raises(ValueError):
        load_config(str(tmp_path / "bad.toml"))


VIEW = [
    *((name, 0, "must be at least 1") for name in ("target_views", "rays", "samples")),
    ("near_share", -0.1, r"must lie in \[0, 1\], got -0.1"),
    ("mirror", 1.1, "must lie"),
    ("recolour", 2.0, "must lie"),
    ("format", "blender", "must be one of rendered, learnit, got 'blender'"),
    ("radius", 0.0, "must be positive"),
    *((n, -1, "must not be negative, got -1") for n in ("variants", "alpha_weight")),
    ("absolute_weight", -1, "must not be negative"),
]
SOUND = [
    ("stretches", 0, "must be at least 1, got 0"),
    ("spectral_weight", -0.1, "must not be negative"),
    ("flip", 1.5, "must lie"),
    ("format", "mp3", "must be one of prompts, librispeech, got 'mp3'"),
]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"precision": "fp16"}, "'fp32' or 'bf16', got 'fp16'"),
        *(({name: 0}, f"{name} must be at least 1") for name in ("steps", "batch", "eval_every")),
        ({"train_share": 0.0}, r"train_share must lie in \(0, 1\], got 0.0"),
        ({"decay": 1.1}, "decay must lie"),
        *(({"data": {name: value}}, f"{name} {message}") for name, value, message in VIEW),
        ({"data": {"format": "learnit", "variants": 1}}, "set variants = 0"),
        *(
            ({"model": {"task": "sound"}, "data": {name: value}}, f"{name} {message}")
            for name, value, message in SOUND
        ),
        ({"model": {"task": "sound"}, "data": {"rays": 3}}, r"its data has no \['rays'\]"),
    ],
)
def test_what_cannot_be_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig.from_dict(config)


def test_the_model_decides_what_data_it_learns_from():
    config = TrainConfig.from_dict({"model": {"task": "sound"}, "data": {"stretches": 3}})
    assert config.data == SoundData(stretches=3) and config.model.task == "sound"
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ValueError, match="at most the 40 stretches of a window, got 41"):
        TrainConfig(model=config.model, data=SoundData(stretches=41))
    with pytest.raises(ValueError, match="the sound task takes SoundData as its data"):
        TrainConfig(model=config.model)
