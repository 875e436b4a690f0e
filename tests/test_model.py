import pytest
import torch
from safetensors.torch import save_file

from hyperdemo.backbones import build_vit
from hyperdemo.inr import sound_of_stretches
from hyperdemo.model import HyperModel, at_one_loudness, to_pixels
from tests import tiny

# Tokens, then base weights, biases and heads (LayerNorm + Linear) of each layer, by hand for
# layers 27 → 16 → 16 → 4 with four tokens each, 48 wide.
OWN = 12 * 48 + sum(i * o + o + 2 * 48 + 48 * i + i for i, o in ((27, 16), (16, 16), (16, 4)))


def pictures(batch=2):
    return torch.rand(batch, 3, 28, 28, generator=torch.Generator().manual_seed(4))


def encoder_size():
    return sum(p.numel() for p in build_vit(tiny.BACKBONE).parameters())


@pytest.mark.parametrize(
    ("init", "adapt", "trainable"),
    [
        ("foundation", "full", lambda: encoder_size() + OWN),
        ("scratch", "full", lambda: encoder_size() + OWN),
        ("foundation", "frozen", lambda: OWN),
        ("foundation", "prompt", lambda: OWN + 2 * 5 * 48),  # five prompts in each of two blocks
        # Rank 3 in two blocks: inputs + outputs of qkv, proj and the two maps of the MLP.
        ("foundation", "lora", lambda: OWN + 2 * 3 * (192 + 96 + 240 + 240)),
    ],
)
def test_what_trains_in_each_variant(init, adapt, trainable):
    model = tiny.model(init=init, adapt=adapt, n_prompts=5, lora_rank=3)
    assert model.n_trainable == trainable()
    encoder, own = model.parameter_groups()
    assert sum(p.numel() for p in encoder) == (encoder_size() if adapt == "full" else 0)
    assert sum(p.numel() for p in encoder + own) == model.n_trainable
    params = model.encode(pictures())
    pairs = zip(params.weights, tiny.params().weights, strict=True)
    sum((w - t).square().sum() for w, t in pairs).backward()
    held = [p.grad is not None for p in model.encoder.parameters()]
    assert all(held) if adapt == "full" else any(held) == (adapt == "lora")
    assert model.heads.tokens.grad.abs().max() > 0  # through the frozen encoder, too
    if adapt == "prompt":
        assert (model.prompts.grad.flatten(1).abs().amax(1) > 0).tolist() == [True, True]


def test_a_picture_s_network_does_not_depend_on_its_neighbours():
    model = tiny.model()
    together = model.encode(pictures())
    assert len(together) == 2 and together.n_parameters == tiny.FIELD.n_parameters
    assert tuple(w.shape[1:] for w in together.weights) == tiny.FIELD.layer_shapes
    for index in range(2):
        alone = model.encode(pictures()[index : index + 1])
        for a, b in zip(alone.weights, together.weights, strict=True):
            torch.testing.assert_close(a[0], b[index], atol=1e-5, rtol=1e-4)
    assert (together.weights[0][0] - together.weights[0][1]).abs().max() > 1e-4


def test_encoding_leaves_nothing_behind():
    model = tiny.model()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    first = model.encode(pictures())
    model.encode(1 - pictures())
    for a, b in zip(first.weights, model.encode(pictures()).weights, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


@pytest.mark.parametrize("changes", [{}, {"biases": "generated"}, {"algorithm": "ipc"}])
def test_weights_are_written_in_full_precision(changes):
    model = tiny.model(**changes)
    with torch.autocast("cpu", torch.bfloat16):
        written = model.write(pictures())
        half = written.params()
    assert all(t.dtype == torch.float32 for t in (*written.masks, *half.tensors().values()))
    torch.testing.assert_close(half.weights[1].norm(dim=1), torch.ones(2, 16))
    for a, b in zip(half.weights, model.encode(pictures()).weights, strict=True):
        torch.testing.assert_close(a, b, atol=0.05, rtol=0)


def test_foundation_loads_the_backbone_and_scratch_never_looks(tmp_path):
    state = {k: v.contiguous() for k, v in build_vit(tiny.BACKBONE).vit.state_dict().items()}
    save_file(state, tmp_path / "vit.safetensors")
    model = HyperModel(tiny.model_config(), pretrained=tmp_path / "vit.safetensors")
    torch.testing.assert_close(dict(model.encoder.vit.state_dict()), state, rtol=0, atol=0)
    with pytest.raises(ValueError, match="there is no backbone file"):
        HyperModel(tiny.model_config(), pretrained=tmp_path / "none.safetensors")
    HyperModel(tiny.model_config(init="scratch"), pretrained=tmp_path / "none.safetensors")


def test_one_seed_gives_one_start_but_for_the_encoder_s_weights():
    torch.manual_seed(3)
    one = HyperModel(tiny.model_config(init="scratch"))
    torch.manual_seed(3)
    two = HyperModel(tiny.model_config())
    torch.testing.assert_close(one.heads.state_dict(), two.heads.state_dict(), rtol=0, atol=0)


def test_pixels_by_hand():
    framed = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
    framed[0, 0, 1] = torch.tensor([255, 51, 0])
    expected = torch.zeros(1, 3, 2, 2)
    expected[0, :, 0, 1] = torch.tensor([1.0, 0.2, 0.0])
    torch.testing.assert_close(to_pixels(framed), expected)


def sounds(batch=2):
    generator = torch.Generator().manual_seed(4)
    return 0.1 * torch.randn(batch, 3280, generator=generator)


@pytest.mark.parametrize("adapt", ["full", "frozen", "prompt", "lora"])
def test_what_no_file_holds_trains_in_every_variant_of_sound(adapt):
    model = tiny.sound_model(adapt=adapt, n_prompts=5)
    raw = {model.encoder.patch_embed.weight, model.encoder.patch_embed.bias}
    encoder, own = model.parameter_groups()
    assert raw <= set(own) and len(set(encoder + own)) == len(encoder + own)
    assert sum(p.numel() for p in encoder + own) == model.n_trainable
    assert bool(encoder) == (adapt == "full")
    params = model.encode(sounds())
    sum(w.square().sum(2).sqrt().sum() for w in params.weights).backward()
    assert all(p.grad is not None for p in raw)
    if adapt == "prompt":
        assert model.prompts.shape == (2, 5, 24)


def test_positions_of_stretches_start_at_their_middles():
    model = HyperModel(tiny.sound_config())
    middles = (240 + 400 * torch.arange(8.0)) / 320  # in mel tokens
    first = model.heads.positions[:, 0].detach()  # the fastest sine, of one radian a token
    torch.testing.assert_close(first, middles.sin(), atol=1e-5, rtol=0)
    assert HyperModel(tiny.model_config()).heads.positions is None


def test_each_stretch_of_each_sound_has_a_network_of_its_own():
    model = tiny.sound_model()
    together = model.encode(sounds())
    assert len(together) == 2 * tiny.sound_config().n_stretches == 16
    alone = model.encode(sounds()[1:])
    torch.testing.assert_close(alone.weights[0], together.weights[0][8:], atol=1e-5, rtol=1e-4)
    some = model.encode(sounds(), stretches=torch.tensor([3, 0]))
    torch.testing.assert_close(some.weights[0], together.weights[0][[3, 0, 11, 8]])
    torch.testing.assert_close(some.weights[2], together.weights[2][[3, 0, 11, 8]])
    flat = together.weights[0].flatten(1)
    assert (torch.cdist(flat, flat) + torch.eye(16)).min() > 1e-3


def test_twice_the_sound_is_twice_the_answer():
    model, places = tiny.sound_model(), dict(n_stretches=8)
    loud = sound_of_stretches(tiny.SOUND, model.encode(sounds()), **places)
    for factor in (0.01, 2.0):
        other = sound_of_stretches(tiny.SOUND, model.encode(factor * sounds()), **places)
        torch.testing.assert_close(other, factor * loud, rtol=1e-3, atol=1e-6 * factor)
    windows, gains = at_one_loudness(sounds() * torch.tensor([[1.0], [3.0]]))
    torch.testing.assert_close(windows.square().mean(1), torch.full((2,), 0.01))
    torch.testing.assert_close(gains[1] / gains[0], torch.tensor(3.0), rtol=0.05, atol=0)
    silence, _ = at_one_loudness(torch.zeros(1, 50))
    assert not silence.any()  # and is not divided by nothing
    answer = sound_of_stretches(tiny.SOUND, model.encode(torch.zeros(1, 3280)), **places)
    assert answer.abs().max() < 1e-3 * loud.abs().max() * 10
