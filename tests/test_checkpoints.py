import hashlib
import json

import pytest
import safetensors.torch
import torch
from safetensors import safe_open

from hyperdemo.checkpoints import fingerprint, load_checkpoint, save_checkpoint
from tests import tiny

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


def refused(path, message):
    """Loading says so."""
    with pytest.raises(ValueError, match=message):
        load_checkpoint(path.parent, path.stem)


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
    refused(saved.with_stem("view-y"), r"no checkpoint .*view-y.*found here: view-x")
    refused(saved.parent / "nowhere" / saved.name, "found here: none")


def test_a_damaged_file_is_refused(saved):
    data = saved.read_bytes()
    for broken in (b"", b"not a checkpoint", data[: len(data) // 2]):
        saved.write_bytes(broken)
        refused(saved, "is damaged")


def test_weights_that_do_not_fit_are_refused(saved):
    tensors = safetensors.torch.load_file(saved)
    tokens = tensors["heads.tokens"]
    misfit = "(?s)view-x.*does not fit its own configuration.*"
    for wrong, message in (
        ({k: v for k, v in tensors.items() if k != "heads.tokens"}, f"{misfit}heads.tokens"),
        (tensors | {"odd": torch.ones(1)}, f"{misfit}odd"),
        (tensors | {"heads.tokens": tokens[:-1].clone()}, f"{misfit}heads.tokens"),
        (tensors | {"heads.tokens": tokens / 0}, "view-x.* not finite .heads.tokens.; fetch it ag"),
    ):
        rewritten(saved, tensors=wrong)
        refused(saved, message)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"field": {"width": 10**9}}, "does not fit its own configuration.*size mismatch.*1000000"),
        ({"field": {"depth": 10**9}}, "does not describe its model.*depth must be from 2 to 64"),
    ],
)
def test_a_configuration_that_would_fill_the_memory_is_refused(saved, changes, words):
    with safe_open(saved, "pt") as file:
        description = json.loads(file.metadata()["description"])
    for part, given in changes.items():
        description["model"][part] |= given
    rewritten(saved, description=json.dumps(description))
    refused(saved, words)


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
    refused(tmp_path / f"{name}.safetensors", f"{name}.safetensors {words}.*give it the name")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": "hyperdemo-audio-1"}, "the format 'hyperdemo-audio-1', but describes a model"),
        ({"format": "hyperdemo-view-0"}, "the format 'hyperdemo-view-0', not 'hyperdemo-view-1'"),
        ({"format": None}, "has the format None, not 'hyperdemo-view-1'"),
        *(
            ({"description": text}, r"view-x\.safetensors does not describe its model")
            for text in (None, "{", "[]", "{}", '{"model": {"colour": 1}}')
        ),
    ],
)
def test_metadata_of_no_model_is_refused(saved, metadata, message):
    rewritten(saved, **metadata)
    refused(saved, message)


def test_a_fingerprint_is_of_the_training_not_of_where_it_lives(saved):
    own = fingerprint(tiny.model())
    assert len(own) == 64 and own == fingerprint(load_checkpoint(saved.parent, "view-x").model)
    tokens = tiny.model().heads.tokens.detach().half().numpy()
    assert own == hashlib.sha256(tokens.tobytes()).hexdigest()
    assert own != fingerprint(tiny.model(1))
