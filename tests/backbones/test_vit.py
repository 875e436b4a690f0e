import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from hyperdemo.backbones import build_vit
from hyperdemo.config import BackboneConfig
from tests import tiny
from tests.backbones.by_hand import norm, run_blocks_by_hand

SMALL = dict(depth=1, embed_dim=48, num_heads=3)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def config(name="vit_small_patch14_dinov2", image_size=28, **changes):
    return BackboneConfig(**{"name": name, "image_size": image_size, "overrides": SMALL} | changes)


@pytest.fixture
def encoder():
    """Two blocks with nothing left at its neutral start, such as the layer scale at 1e-5."""
    made = build_vit(tiny.BACKBONE).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return made


def pictures(batch=2, size=28):
    return torch.rand(batch, 3, size, size, generator=torch.Generator().manual_seed(1))


NAMES = ("norm1", "norm2", "q", "k", "v", "attn.proj", "mlp.fc1", "mlp.fc2")


def transformer_by_hand(encoder, pixels, extra, *, prompts=None):
    """A ViT with layer scale for one picture, in float64; all tokens of the last block."""
    state = {key: value.double() for key, value in encoder.vit.state_dict().items()}
    for key in [key for key in state if ".attn.qkv." in key]:
        for name, part in zip("qkv", state[key].chunk(3), strict=True):
            state[key.replace("attn.qkv", name)] = part
    kernel = state["patch_embed.proj.weight"]
    patch, tokens = kernel.shape[-1], [state["cls_token"][0, 0]]
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    pixels = ((pixels - mean) / std).double()
    for row in range(0, pixels.shape[1], patch):
        for column in range(0, pixels.shape[2], patch):
            part = pixels[:, row : row + patch, column : column + patch]
            tokens.append((kernel * part).sum((1, 2, 3)) + state["patch_embed.proj.bias"])
    x = torch.cat([torch.stack(tokens) + state["pos_embed"][0], extra.double()])
    x = run_blocks_by_hand(state, x, prompts=prompts, n_heads=3, names=NAMES, eps=1e-6)
    return norm(state, "norm", x, 1e-6)


def test_the_reference_is_timm_s_network_where_no_tokens_are_added(encoder):
    mean, std = (torch.tensor(v)[:, None, None] for v in (IMAGENET_MEAN, IMAGENET_STD))
    by_timm = encoder.vit.forward_features((pictures() - mean) / std)
    for index in range(2):
        by_hand = transformer_by_hand(encoder, pictures()[index], torch.zeros(0, 48))
        torch.testing.assert_close(by_timm[index].double(), by_hand, atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("n_prompts", [0, 3])
def test_extra_tokens_and_prompts_run_in_the_same_sequence(encoder, n_prompts):
    pixels, extra = pictures(), torch.randn(2, 5, 48)
    prompts = torch.randn(2, n_prompts, 48) if n_prompts else None
    out = encoder(pixels, extra, prompts=prompts)
    assert out.shape == (2, 5, 48) and encoder.dim == 48
    for index in range(2):
        by_hand = transformer_by_hand(encoder, pixels[index], extra[index], prompts=prompts)
        torch.testing.assert_close(out[index].double(), by_hand[5:], atol=2e-4, rtol=1e-4)


def test_gradient_reaches_pixels_tokens_prompts_and_every_weight(encoder):
    given = [pictures(1), torch.randn(1, 5, 48), torch.randn(2, 3, 48)]
    pixels, extra, prompts = (t.requires_grad_() for t in given)
    encoder(pixels, extra, prompts=prompts).square().sum().backward()
    for tensor in (pixels, extra, prompts, *encoder.parameters()):
        assert tensor.grad is not None and tensor.grad.abs().max() > 0


def test_another_size_or_depth_than_built_for_is_refused(encoder):
    with pytest.raises(ValueError, match=r"pictures of \(28, 28\) pixels expected"):
        encoder(pictures(1, 42), torch.zeros(1, 1, 48))
    with pytest.raises(ValueError, match="prompts for 2 blocks expected, got 1"):
        encoder(pictures(1), torch.zeros(1, 1, 48), prompts=torch.zeros(1, 3, 48))


@pytest.mark.parametrize(
    ("name", "mean"),
    [
        ("vit_small_patch14_dinov2", IMAGENET_MEAN),
        ("vit_base_patch14_dinov2", IMAGENET_MEAN),
        ("vit_large_patch14_dinov2", IMAGENET_MEAN),
        ("vit_small_patch14_reg4_dinov2", IMAGENET_MEAN),
        ("vit_small_patch16_224.dino", IMAGENET_MEAN),
        ("vit_base_patch16_clip_224.openai", (0.48145466, 0.4578275, 0.40821073)),
        ("vit_base_patch16_224.mae", IMAGENET_MEAN),
        ("deit_small_patch16_224", IMAGENET_MEAN),
        ("vit_small_patch16_224.augreg_in21k", (0.5, 0.5, 0.5)),
        ("vit_large_patch16_224.augreg_in21k", (0.5, 0.5, 0.5)),
    ],
)
def test_every_family_builds_with_its_own_normalisation(name, mean):
    size = 2 * (14 if "patch14" in name else 16)
    made = build_vit(config(name, size)).eval()
    out = made(pictures(1, size), torch.randn(1, 3, 48))
    assert out.shape == (1, 3, 48) and torch.isfinite(out).all()
    assert made.mean.flatten().tolist() == pytest.approx(mean)
    # Extra tokens are read from behind the picture's, however many prefix tokens there are.
    assert made.embed(pictures(1, size)).shape[1] == 4 + made.vit.num_prefix_tokens


def test_blocks_are_kept_from_the_input_on():
    torch.manual_seed(0)
    whole = build_vit(tiny.BACKBONE)
    torch.manual_seed(0)
    cut = build_vit(config(overrides=SMALL | {"depth": 2}, depth=1))
    assert len(cut.vit.blocks) == 1
    torch.testing.assert_close(
        cut.vit.blocks[0].state_dict(), whole.vit.blocks[0].state_dict(), rtol=0, atol=0
    )
    with pytest.raises(ValueError, match="has 1 blocks, not 2"):
        build_vit(config(depth=2))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "vit_of_my_dreams"}, "has no model named 'vit_of_my_dreams'"),
        ({"image_size": 30}, "image_size 30 is no multiple of the patch, 14"),
        ({"name": "resnet18", "overrides": {}}, "cannot build 'resnet18'"),
        (
            {
                "name": "swin_tiny_patch4_window7_224",
                "image_size": 56,
                "overrides": dict(depths=(1, 1), embed_dim=24, num_heads=(1, 2)),
            },
            "a plain ViT is expected",
        ),
    ],
)
def test_what_is_no_plain_vit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build_vit(config(**changes))


def test_random_weights_start_with_open_layer_scales():
    scales = [v for k, v in build_vit(config()).vit.state_dict().items() if k.endswith("gamma")]
    assert len(scales) == 2 and all((scale == 1).all() for scale in scales)


def random_state(image_size=28):
    """Weights as a file holds them, with nothing at its start."""
    vit = build_vit(config(image_size=image_size)).vit
    return {k: v + torch.randn_like(v) for k, v in vit.state_dict().items()}


def test_a_file_is_loaded_bit_for_bit(tmp_path):
    state = random_state()
    save_file(state, tmp_path / "vit.safetensors")
    loaded = build_vit(config(), pretrained=tmp_path / "vit.safetensors").vit.state_dict()
    torch.testing.assert_close(loaded, state, rtol=0, atol=0)


def test_a_file_that_lacks_or_adds_a_weight_is_refused(tmp_path):
    path = tmp_path / "vit.safetensors"
    state = random_state()
    save_file({k: v for k, v in state.items() if k != "blocks.0.attn.proj.bias"}, path)
    with pytest.raises(ValueError, match="Missing.*blocks.0.attn.proj.bias"):
        build_vit(config(), pretrained=str(path))
    save_file(state | {"head.weight": torch.zeros(3)}, path)
    with pytest.raises(ValueError, match="Unexpected.*head.weight"):
        build_vit(config(), pretrained=path)
    with pytest.raises(ValueError, match="there is no backbone file .*train.sources.dinov2` makes"):
        build_vit(config(), pretrained=tmp_path / "none.safetensors")


def test_the_position_table_is_resampled(tmp_path):
    state, path = random_state(image_size=56), tmp_path / "vit.safetensors"
    save_file(state, path)
    table = build_vit(config(image_size=28), pretrained=path).vit.pos_embed
    grid = state["pos_embed"][:, 1:].reshape(1, 4, 4, 48).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=(2, 2), mode="bicubic", antialias=True)
    torch.testing.assert_close(table[:, :1], state["pos_embed"][:, :1])
    torch.testing.assert_close(table[:, 1:], grid.permute(0, 2, 3, 1).reshape(1, 4, 48))


def test_timm_s_own_weights_come_from_the_hub_s_cache(hub_cache, tmp_path):
    state = random_state(image_size=56)
    hub_cache(state)
    same = build_vit(config(image_size=56), pretrained=True).vit.state_dict()
    torch.testing.assert_close(same, state, rtol=0, atol=0)
    smaller = build_vit(config(image_size=28), pretrained=True).vit.state_dict()
    save_file(state, tmp_path / "vit.safetensors")
    from_file = build_vit(config(image_size=28), pretrained=tmp_path / "vit.safetensors").vit
    torch.testing.assert_close(smaller, from_file.state_dict())  # resampled as timm does


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        (None, "Connect to the internet once.*safetensors file"),
        ("norm.weight", "could not be had"),
    ],
)
def test_without_network_or_all_weights_the_remedy_is_named(hub_cache, lost, message):
    if lost:
        hub_cache({k: v for k, v in random_state().items() if k != lost})
    with pytest.raises(ValueError, match=message):
        build_vit(config(), pretrained=True)
