import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from hyperdemo.checkpoints import load_checkpoint, save_checkpoint
from hyperdemo.inr import as_field
from hyperdemo.media.image import decode_image
from hyperdemo.model import to_pixels
from hyperdemo.preprocess import prepare
from hyperdemo.render.bake import bake
from hyperdemo.render.cameras import look_at_origin
from hyperdemo.render.march import march
from tests import tiny

ROOT = Path(__file__).resolve().parents[1]
FACTS = {"git": "abc123", "val_psnr": 17.5, "training": {"steps": 3}}


def rewritten(path, *, tensors=None, **metadata):
    """The checkpoint again with other tensors or other metadata."""
    with safe_open(path, "pt") as file:
        old = file.metadata()
    tensors = safetensors.torch.load_file(path) if tensors is None else tensors
    merged = {k: v for k, v in (old | metadata).items() if v is not None}
    safetensors.torch.save_file(tensors, path, metadata=merged)


@pytest.fixture
def saved(tmp_path):
    return save_checkpoint(tiny.model(), tmp_path / "weights", name="view-x", facts=FACTS)


@pytest.mark.parametrize(
    "changes", [{}, {"adapt": "prompt"}, {"adapt": "lora"}, {"init": "scratch"}]
)
def test_comes_back_to_half_precision(tmp_path, changes):
    model = tiny.model(**changes)
    path = save_checkpoint(model, tmp_path / "new", name="view-x", facts=FACTS)
    assert path == tmp_path / "new" / "view-x.safetensors"
    loaded = load_checkpoint(tmp_path / "new", "view-x")
    assert loaded.name == "view-x" and dict(loaded.facts) == FACTS
    assert loaded.model.config == model.config and not loaded.model.training
    assert loaded.model.n_trainable == 0
    again = loaded.model.state_dict()
    assert list(again) == list(model.state_dict())
    for key, tensor in model.state_dict().items():
        assert again[key].dtype == torch.float32
        torch.testing.assert_close(again[key], tensor, rtol=2**-11, atol=2**-24)
    pixels = torch.rand(1, 3, 28, 28)
    with torch.no_grad():
        for a, b in zip(
            loaded.model.encode(pixels).weights, model.encode(pixels).weights, strict=True
        ):
            torch.testing.assert_close(a, b, atol=5e-3, rtol=0)


def test_the_file_is_half_as_long_and_describes_itself(saved):
    n_weights = sum(p.numel() for p in tiny.model().parameters())
    assert saved.stat().st_size < 2 * n_weights + 20_000
    with safe_open(saved, "pt") as file:
        inside = json.loads(file.metadata()["description"])
        assert file.get_tensor("heads.tokens").dtype == torch.float16
    assert inside == json.loads(saved.with_suffix(".json").read_text())
    assert inside["format"] == "hyperdemo-view-1" and inside["val_psnr"] == 17.5
    assert inside["model"]["field"]["width"] == 16


def test_a_sound_model_is_found_under_its_old_name(tmp_path):
    saved = save_checkpoint(tiny.sound_model(), tmp_path, name="audio-x", facts={})
    old = load_checkpoint(tmp_path, "sound-x")
    assert old.name == "sound-x" and old.model.config == tiny.sound_model().config
    saved.rename(tmp_path / "sound-x.safetensors")
    assert load_checkpoint(tmp_path, "sound-x").model.config == old.model.config


def test_a_weight_beyond_half_precision_is_refused(tmp_path):
    model = tiny.model()
    with torch.no_grad():
        model.heads.base[0][0, 0] = 1e5
    with pytest.raises(ValueError, match="float16 cannot hold: heads.base.0"):
        save_checkpoint(model, tmp_path, name="view-x", facts={})
    assert not list(tmp_path.iterdir())


def test_a_missing_one_is_named_with_what_is_there(saved):
    with pytest.raises(ValueError, match=r"no checkpoint .*view-y.*found here: view-x"):
        load_checkpoint(saved.parent, "view-y")
    with pytest.raises(ValueError, match="found here: none"):
        load_checkpoint(saved.parent / "nowhere", "view-x")


def test_a_damaged_file_is_refused(saved):
    data = saved.read_bytes()
    for broken in (b"", b"not a checkpoint", data[: len(data) // 2]):
        saved.write_bytes(broken)
        with pytest.raises(ValueError, match="is damaged"):
            load_checkpoint(saved.parent, "view-x")


def test_weights_that_lack_or_add_one_are_refused(saved):
    tensors = safetensors.torch.load_file(saved)
    less = {k: v for k, v in tensors.items() if k != "heads.tokens"}
    for wrong, name in ((less, "heads.tokens"), (tensors | {"odd": torch.ones(1)}, "odd")):
        rewritten(saved, tensors=wrong)
        with pytest.raises(ValueError, match=f"(?s)does not fit its own configuration.*{name}"):
            load_checkpoint(saved.parent, "view-x")


@pytest.mark.parametrize(
    ("model", "name", "words"),
    [
        (tiny.sound_model(), "view-x", "holds 'sound' where its name says 'view'"),
        (tiny.model(), "sound-foundation", "holds 'view' where its name says 'sound'"),
        (tiny.model(init="scratch"), "view-foundation", "holds 'scratch' where its name says 'fo"),
    ],
)
def test_a_model_under_the_name_of_another_is_refused(tmp_path, model, name, words):
    save_checkpoint(model, tmp_path, name=name, facts={})
    with pytest.raises(ValueError, match=f"{name}.safetensors {words}.*give it the name"):
        load_checkpoint(tmp_path, name)


def test_a_format_that_is_not_of_the_models_task_is_refused(saved):
    rewritten(saved, format="hyperdemo-audio-1")
    with pytest.raises(ValueError, match="has the format 'hyperdemo-audio-1', but describes a mod"):
        load_checkpoint(saved.parent, "view-x")


def test_weights_of_another_shape_or_not_finite_are_refused(saved):
    tensors = safetensors.torch.load_file(saved)
    tokens = tensors["heads.tokens"]
    rewritten(saved, tensors=tensors | {"heads.tokens": tokens[:-1].clone()})
    with pytest.raises(ValueError, match="(?s)view-x.*own configuration.*heads.tokens"):
        load_checkpoint(saved.parent, "view-x")
    tokens[0, 0] = float("inf")
    rewritten(saved, tensors=tensors | {"heads.tokens": tokens})
    with pytest.raises(ValueError, match="view-x.* not finite .heads.tokens.; fetch it again"):
        load_checkpoint(saved.parent, "view-x")


def test_another_format_is_refused(saved):
    for other in ("hyperdemo-view-0", None):
        rewritten(saved, format=other)
        with pytest.raises(ValueError, match=f"has the format {other!r}, not 'hyperdemo-view-1'"):
            load_checkpoint(saved.parent, "view-x")


@pytest.mark.parametrize("description", [None, "{", "[]", "{}", '{"model": {"colour": 1}}'])
def test_a_description_that_is_no_configuration_is_refused(saved, description):
    rewritten(saved, description=description)
    with pytest.raises(ValueError, match=r"view-x\.safetensors does not describe its model"):
        load_checkpoint(saved.parent, "view-x")


@pytest.mark.parametrize("name", ["foundation", "scratch"])
def test_the_shipped_weights_show_an_object(name):
    if not (ROOT / "weights" / f"view-{name}.safetensors").is_file():
        pytest.skip(f"weights/view-{name}.safetensors is not there; python -m train.package")
    loaded = load_checkpoint(ROOT / "weights", f"view-{name}")
    assert loaded.model.config.init == name and loaded.facts["val_psnr"] > 10
    size = loaded.model.config.backbone.image_size
    framed = prepare(decode_image(ROOT / "examples" / "coffee_cup.webp"), size=size).framed
    with torch.inference_mode():
        params = loaded.model.encode(to_pixels(torch.from_numpy(framed)[None]))
        baked = bake(as_field(loaded.model.config.field, params), resolution=64)
    view = march(baked, look_at_origin(0.0, 20.0), fov_deg=40.0, size=64)
    # Neither blank nor a full frame: something solid with white around it.
    assert 0.03 < np.mean(view.alpha > 0.5) < 0.8 and view.alpha[:4].max() < 0.5
    assert view.rgb.std() > 0.05
