import pytest
import torch
from safetensors.torch import save_file

from hyperdemo.backbones import NoWeights, build_convnet, build_encoder
from hyperdemo.checkpoints import load_checkpoint, save_checkpoint
from hyperdemo.config import ConvNetConfig, ModelConfig
from hyperdemo.model import HyperModel
from tests import tiny
from tests.backbones.by_hand import norm, run_blocks_by_hand
from train.config import load_config

CONVNEXT = ConvNetConfig(
    "convnext_atto", 64, dim=48, n_heads=3, n_blocks=2,
    overrides=dict(depths=[1, 1, 1, 1], dims=[8, 8, 16, 24]),
)  # fmt: skip
RESNET = ConvNetConfig(
    "resnet10t", 64, dim=48, n_heads=3, n_blocks=1, overrides=dict(channels=(8, 8, 8, 16))
)
NAMES = ("norm1", "norm2", "q", "k", "v", "attn.proj", "mlp.fc1", "mlp.fc2")


def pictures(batch=2, size=64):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


def shaken(encoder):
    """The encoder with nothing left at its neutral start."""
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return encoder.eval()


@pytest.mark.parametrize("n_prompts", [0, 3])
def test_every_place_of_the_map_is_a_token_beside_the_extra_ones(n_prompts):
    encoder, pixels, extra = shaken(build_convnet(CONVNEXT)), pictures(), torch.randn(2, 5, 48)
    prompts = torch.randn(2, n_prompts, 48) if n_prompts else None
    out = encoder(pixels, extra, prompts=prompts)
    assert out.shape == (2, 5, 48) and encoder.dim == 48
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    features = encoder.net((pixels - mean[:, None, None]) / std[:, None, None])
    assert features.shape == (2, 24, 2, 2)
    state = {key: value.double() for key, value in encoder.state_dict().items()}
    for key in [key for key in state if ".attn.qkv." in key]:
        for name, part in zip("qkv", state[key].chunk(3), strict=True):
            state[key.replace("attn.qkv", name)] = part
    for index in range(2):
        tokens = [
            state["project.weight"] @ features[index, :, row, column].double()
            + state["project.bias"] + state["positions"][2 * row + column]
            for row in range(2) for column in range(2)
        ]  # fmt: skip
        x = torch.cat([torch.stack(tokens), extra[index].double()])
        x = run_blocks_by_hand(state, x, prompts=prompts, n_heads=3, names=NAMES, eps=1e-6)
        expected = norm(state, "norm", x, 1e-6)[4:]
        torch.testing.assert_close(out[index].double(), expected, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("config", [CONVNEXT, RESNET], ids=lambda config: config.name)
def test_gradient_reaches_pixels_tokens_and_every_weight(config):
    encoder = shaken(build_encoder(config)).train()
    pixels, extra = pictures().requires_grad_(), torch.randn(2, 5, 48).requires_grad_()
    encoder(pixels, extra).square().sum().backward()
    for tensor in (pixels, extra, *encoder.parameters()):
        assert tensor.grad is not None and tensor.grad.abs().max() > 0


def test_the_blocks_of_a_random_convnext_act_from_the_start():
    net = build_convnet(CONVNEXT).net
    assert all(block.gamma.eq(1).all() for stage in net.stages for block in stage.blocks)


def test_a_file_is_loaded_bit_for_bit_and_what_is_new_is_not_in_it(tmp_path):
    path = tmp_path / "net.safetensors"
    state = {k: torch.randn_like(v) for k, v in build_convnet(CONVNEXT).net.state_dict().items()}
    save_file(state, path)
    encoder = build_convnet(CONVNEXT, pretrained=path)
    torch.testing.assert_close(encoder.net.state_dict(), state, rtol=0, atol=0)
    own = {id(p) for p in encoder.net.parameters()}
    new = {id(p) for p in encoder.new_parameters()}
    assert own | new == {id(p) for p in encoder.parameters()} and not own & new
    save_file({k: v for k, v in state.items() if "stem" not in k}, path)
    with pytest.raises(ValueError, match="(?s)does not hold the weights of this backbone.*stem"):
        build_convnet(CONVNEXT, pretrained=path)
    with pytest.raises(NoWeights, match="no backbone file .*give a safetensors file"):
        build_convnet(CONVNEXT, pretrained=tmp_path / "none.safetensors")


def test_a_frozen_convnet_keeps_its_statistics_and_what_is_new_learns():
    model = HyperModel(ModelConfig(RESNET, tiny.FIELD, n_groups=4, adapt="frozen")).train()
    before = {k: v.clone() for k, v in model.encoder.net.state_dict().items()}
    model.encode(pictures()).weights[0].sum().backward()
    torch.testing.assert_close(model.encoder.net.state_dict(), before, rtol=0, atol=0)
    assert all(p.grad is None for p in model.encoder.net.parameters())
    assert all(p.grad is not None for p in model.encoder.new_parameters())
    scratch = HyperModel(ModelConfig(RESNET, tiny.FIELD, n_groups=4, init="scratch")).train()
    scratch.encode(pictures())
    assert scratch.encoder.net.bn1.num_batches_tracked == 1


def test_a_checkpoint_comes_back(tmp_path):
    config = ModelConfig(CONVNEXT, tiny.FIELD, n_groups=4)
    model = HyperModel(config).eval()
    save_checkpoint(model, tmp_path, name="view-foundation", facts={})
    loaded = load_checkpoint(tmp_path, "view-foundation")
    assert loaded.model.config == config
    found, expected = (m.encode(pictures()).weights[0] for m in (loaded.model, model))
    torch.testing.assert_close(found, expected, atol=0.05, rtol=0.05)  # stored in half precision


def test_a_configuration_chooses_it_by_its_own_sizes():
    changes = {"model.backbone.name": "resnet18", "model.backbone.n_blocks": 2}
    config = load_config("view-cpu", overrides=changes).model
    assert config.backbone == ConvNetConfig("resnet18", image_size=98, n_blocks=2)
    assert ModelConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (ConvNetConfig("net_of_my_dreams"), "has no model named 'net_of_my_dreams'"),
        (ConvNetConfig("deit_tiny_patch16_224", 224), "a VisionTransformer.*a ConvNet such as"),
        (ConvNetConfig("resnet18", overrides={"magic": 1}), "cannot build 'resnet18'"),
    ],
)
def test_what_is_no_convnet_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        build_convnet(config)


def test_another_size_than_built_for_is_refused():
    with pytest.raises(ValueError, match=r"pictures of \(64, 64\) pixels expected, got \(96, 96\)"):
        build_convnet(CONVNEXT)(pictures(1, 96), torch.zeros(1, 1, 48))
