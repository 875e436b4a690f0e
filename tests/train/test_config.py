import dataclasses
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


def test_a_file_may_differ_from_another_s_in_what_it_names(tmp_path):
    (tmp_path / "a.toml").write_text("lr = 1.0\n[data]\nrays = 7\nsamples = 8\n")
    own = f'base = "{tmp_path / "a.toml"}"\nsteps = 200\n[data]\nsamples = 9\n'
    (tmp_path / "b.toml").write_text(own)
    config = load_config(str(tmp_path / "b.toml"), overrides={"data.mirror": 0.1})
    data = ViewData(rays=7, samples=9, mirror=0.1)
    assert config == TrainConfig(lr=1.0, steps=200, data=data)
    chairs, lamps = load_config("view-chairs"), load_config("view-lamps")
    places = {"views_dir": chairs.data.views_dir, "splits_file": chairs.data.splits_file}
    assert dataclasses.replace(lamps, data=dataclasses.replace(lamps.data, **places)) == chairs


def test_missing_and_broken_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no training config 'view-cpus'; there are .*view-cpu"):
        load_config("view-cpus")
    with pytest.raises(ValueError, match="no training config"):
        load_config(str(tmp_path / "none.toml"))
    (tmp_path / "bad.toml").write_text("lr = ")
    with pytest.raises(ValueError):
        load_config(str(tmp_path / "bad.toml"))


LEAST, SHARE, POSITIVE = "must be at least 1", r"must lie in \[0, 1\], got", "must not be negative"
RUN = [("precision", "fp16", "must be one of fp32, bf16, got 'fp16'")]
RUN += [(name, 0, LEAST) for name in ("steps", "batch", "eval_every")]
RUN += [
    (name, x, r"must lie in \(0, 1\], got") for name, x in (("train_share", 0.0), ("decay", 1.1))
]
VIEW = [(name, 0, LEAST) for name in ("target_views", "rays", "samples", "pool", "fresh")]
VIEW += [(name, x, SHARE) for name, x in (("near_share", -0.1), ("mirror", 1.1), ("recolour", 2.0))]
VIEW += [(name, -1, POSITIVE) for name in ("variants", "alpha_weight", "absolute_weight")]
VIEW += [
    ("format", "blender", "must be one of rendered, learnit, shards, got 'blender'"),
    ("radius", 0.0, "must be positive"),
]
SOUND = [
    ("stretches", 0, LEAST), ("pool", 0, LEAST), ("fresh", 0, LEAST),
    ("spectral_weight", -0.1, POSITIVE), ("emphasised_weight", -0.1, POSITIVE),
    ("flip", 1.5, SHARE),
    ("format", "mp3", "must be one of prompts, librispeech, shards, got 'mp3'"),
]  # fmt: skip
SOUND_TASK = {"model": {"task": "sound"}}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        *(({name: value}, f"{name} {text}") for name, value, text in RUN),
        *(({"data": {name: v}}, f"{name} {text}") for name, v, text in VIEW),
        *((SOUND_TASK | {"data": {name: v}}, f"{name} {text}") for name, v, text in SOUND),
        ({"data": {"format": "learnit", "variants": 1}}, "set variants = 0"),
        ({"data": {"weights": {"shoes": 0.0}}}, "the weight of shoes must be positive, got 0.0"),
        (SOUND_TASK | {"data": {"rays": 3}}, r"its data has no \['rays'\]"),
        (SOUND_TASK | {"data": {"stretches": 41}}, "at most the 40 stretches of a window, got 41"),
        ({"colour": 1}, r"a training config has no \['colour'\]"),
        ({"data": {"colour": 1}}, r"its data has no \['colour'\]"),
        ({"model": {"colour": 1}}, "ModelConfig has no colour"),
    ],
)
def test_what_cannot_be_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig.from_dict(config)


def test_the_model_decides_what_data_it_learns_from():
    config = TrainConfig.from_dict({"model": {"task": "sound"}, "data": {"stretches": 3}})
    assert config.data == SoundData(stretches=3) and config.model.task == "sound"
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    with pytest.raises(ValueError, match="the sound task takes SoundData as its data"):
        TrainConfig(model=config.model)
