import dataclasses

import pytest
import torch
from safetensors.torch import save_file

from hyperdemo.backbones import build_encoder, build_vit
from hyperdemo.config import SpectrogramConfig
from tests import tiny
from tests.train import scenes
from train.loop import new_model
from train.transplant import PARTS, belongs, check_part, keep_part

ROLES = PARTS[2:]
SPECTROGRAM = SpectrogramConfig(vit=tiny.BACKBONE, n_mels=8, window=3280)
EXAMPLES = {
    "attention": {"attn.qkv.weight", "attn.proj.bias", "ls1.gamma", "attn.query.weight"},
    "mlp": {"mlp.fc1.weight", "mlp.fc2.bias", "ls2.gamma", "mlp.0.weight"},
    "norms": {"norm1.weight", "norm2.bias", "attn_ln.weight", "mlp_ln.bias"},
    "embeddings": {
        "vit.patch_embed.proj.weight", "vit.pos_embed", "vit.cls_token", "conv1.weight",
        "positional_embedding",
    },
}  # fmt: skip


def random(tensors):
    return {name: torch.randn_like(value) for name, value in tensors.items()}


@pytest.mark.parametrize("config", [tiny.BACKBONE, tiny.WHISPER, SPECTROGRAM])
def test_every_weight_belongs_to_one_role_and_one_block_at_most(config):
    names = list(build_encoder(config).state_dict())
    for name in names:
        assert sum(belongs(name, role) for role in ROLES) == 1 and belongs(name, "all")
        blocks = [belongs(name, f"blocks {k}-{k}") for k in (1, 2, 3)]
        assert blocks == [f"blocks.{k}." in name for k in (0, 1, 2)]
        assert belongs(name, "blocks 1-2") == (blocks[0] or blocks[1])
    for role, ends in EXAMPLES.items():
        found = [name for name in names if name.endswith(tuple(ends))]
        assert found and all(belongs(name, role) for name in found)


@pytest.mark.parametrize("part", ["attention", "mlp", "norms", "embeddings", "blocks 2-2"])
def test_what_is_kept_is_the_file_s_and_the_rest_as_from_scratch(part, tmp_path):
    path = tmp_path / "vit.safetensors"
    state = random(build_vit(tiny.BACKBONE).vit.state_dict())
    save_file(state, path)
    config = scenes.train_config(
        model=tiny.model_config(init="foundation"), backbone_file=str(path), pretrained_part=part
    )
    torch.manual_seed(3)
    found = new_model(config).encoder.vit.state_dict()
    torch.manual_seed(3)
    whole = new_model(dataclasses.replace(config, pretrained_part="all"))
    scratch = new_model(
        dataclasses.replace(config, model=tiny.model_config(init="scratch"), pretrained_part="all")
    )
    kept = {name for name in state if belongs(name, part)}
    assert 0 < len(kept) < len(state)
    for name, value in found.items():
        assert torch.equal(value, state[name]) == (name in kept), name
        if name.endswith(("gamma", "bias")) and name not in kept:  # random weights start at these
            torch.testing.assert_close(value, scratch.encoder.vit.state_dict()[name])
    # Heads and tokens start alike, whatever is kept.
    torch.manual_seed(3)
    again = new_model(config)
    torch.testing.assert_close(again.heads.state_dict(), whole.heads.state_dict(), rtol=0, atol=0)


def test_permuted_weights_have_the_same_values_in_another_order():
    encoder = build_vit(tiny.BACKBONE)
    encoder.vit.load_state_dict(random(encoder.vit.state_dict()))
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    generator = torch.Generator().manual_seed(0)
    keep_part(encoder, build_vit(tiny.BACKBONE), part="permuted", generator=generator)
    for name, value in encoder.state_dict().items():
        assert not torch.equal(value, before[name])
        assert torch.equal(value.flatten().sort()[0], before[name].flatten().sort()[0])


@pytest.mark.parametrize("part", ["heads", "blocks", "blocks 3-2", "blocks 0-1", ""])
def test_an_unknown_part_is_refused(part):
    with pytest.raises(ValueError, match="pretrained_part must be one of all, permuted, attention"):
        check_part(part)


def test_blocks_that_are_not_there_are_refused():
    encoder, generator = build_vit(tiny.BACKBONE), torch.Generator()
    with pytest.raises(ValueError, match="this encoder has no blocks 5-8"):
        keep_part(encoder, build_vit(tiny.BACKBONE), part="blocks 5-8", generator=generator)
