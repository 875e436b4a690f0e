"""Whisper's encoder against one written out from its definition."""

import math

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from hyperdemo.backbones.sequence import emphasised
from hyperdemo.backbones.whisper import TOKEN_RMS, WhisperEncoder, build_whisper, sinusoids
from hyperdemo.config.backbones import MEL_TOKEN, MIN_WINDOW, WhisperConfig
from hyperdemo.preprocess.logmel import HOP, MIN_SAMPLES, log_mel
from tests.backbones.by_hand import norm, run_blocks_by_hand

ALL_INPUTS = ("mel", "raw", "both")


def config(inputs="both", **changes):
    small = dict(
        dim=12, n_heads=3, n_blocks=2, n_mels=8, max_frames=9, window=2400, patch=600,
        patch_hop=360, tied=False,
    )  # fmt: skip
    return WhisperConfig(**small | {"inputs": inputs} | changes)


def made(inputs="both", *, seed=0, **changes):
    """An encoder with nothing left at its neutral start."""
    torch.manual_seed(seed)
    encoder = WhisperEncoder(config(inputs, **changes)).eval()
    with torch.no_grad():
        for tensor in encoder.state_dict().values():
            tensor += 0.2 * torch.randn_like(tensor)
    return encoder


def sounds(batch=2, samples=2400):
    generator = torch.Generator().manual_seed(1)
    return 0.1 * torch.randn(batch, samples, generator=generator)


NAMES = (
    "attn_ln", "mlp_ln", "attn.query", "attn.key", "attn.value", "attn.out", "mlp.0", "mlp.2",
)  # fmt: skip


def encoder_by_hand(encoder, wave, extra, *, prompts=None):
    """Outputs at the extra tokens for one window, in float64, and how many tokens come before."""
    config, n_extra = encoder.config, len(extra)
    state = {key: value.double() for key, value in encoder.state_dict().items()}
    wave, x = wave.double(), extra.double()
    data = []
    if config.inputs != "raw":
        mel = log_mel(wave[None], n_mels=config.n_mels)[0]
        for stride, name in enumerate(("conv1", "conv2"), start=1):
            weight, bias = state[f"{name}.weight"], state[f"{name}.bias"]
            mel = F.gelu(F.conv1d(mel, weight, bias, stride=stride, padding=1))
        data += [row + state["positional_embedding"][k] for k, row in enumerate(mel.T)]
    if config.inputs != "mel":
        starts = range(0, config.window - config.patch + 1, config.patch_hop)
        patches = [
            state["patch_embed.weight"] @ wave[s : s + config.patch] + state["patch_embed.bias"]
            for s in starts
        ]
        if config.tied:
            x = x + torch.stack(patches).repeat_interleave(n_extra // len(patches), dim=0)
        else:
            data += [patch + state["patch_position"][k] for k, patch in enumerate(patches)]
    x = torch.cat([*(token[None] for token in data), x])
    x = run_blocks_by_hand(state, x, prompts=prompts, n_heads=config.n_heads, names=NAMES, eps=1e-5)
    return norm(state, "ln_post", x[len(data) :], 1e-5), len(data)


@pytest.mark.parametrize("n_prompts", [0, 3])
@pytest.mark.parametrize(
    ("inputs", "tied", "n_data"),
    [
        ("mel", True, 8), ("raw", True, 0), ("both", True, 8),
        ("mel", False, 8), ("raw", False, 6), ("both", False, 14),
    ],
)  # fmt: skip
def test_all_tokens_run_in_the_sequence_that_the_definition_makes(inputs, tied, n_data, n_prompts):
    encoder, wave, extra = made(inputs, tied=tied), sounds(), torch.randn(2, 12, 12)
    prompts = torch.randn(2, n_prompts, 12) if n_prompts else None
    assert encoder.embed(wave).shape == (2, n_data, 12)  # 2400 samples are 15 hops, 8 mel tokens
    out = encoder(wave, extra, prompts=prompts)
    assert out.shape == (2, 12, 12) and encoder.dim == 12
    for index in range(2):
        by_hand, before = encoder_by_hand(encoder, wave[index], extra[index], prompts=prompts)
        torch.testing.assert_close(out[index].double(), by_hand, atol=2e-4, rtol=1e-4)
        assert before == n_data
    assert len(encoder.new_parameters()) == (0 if inputs == "mel" else 2 if tied else 3)
    if not tied:
        assert encoder.config.n_mel_tokens + encoder.config.n_patches == n_data


def test_patches_are_read_with_their_high_frequencies_raised():
    plain, raised = made(tied=False), made(tied=False, emphasis=0.6)
    raised.load_state_dict(plain.state_dict())
    wave = sounds(1)
    patches = wave[0].unfold(0, 600, plain.config.patch_hop).clone()
    for k in range(599, 0, -1):
        patches[:, k] = (patches[:, k] - 0.6 * patches[:, k - 1]) / 0.8
    torch.testing.assert_close(raised.embed_patches(wave)[0], plain.patch_embed(patches))


def test_emphasis_makes_correlated_samples_independent_at_their_size():
    apart = torch.arange(7)[:, None] - torch.arange(7)
    covariance = 0.9 ** apart.abs().double()
    map_ = emphasised(torch.eye(7).double(), 0.9).T
    torch.testing.assert_close(map_ @ covariance @ map_.T, torch.eye(7).double())


def test_what_does_not_fit_the_encoder_is_refused():
    encoder, wave, extra = made(tied=True), sounds(1), torch.randn(1, 12, 12)
    with pytest.raises(ValueError, match="in 6 equal runs expected, one a patch, got 13"):
        encoder(wave, torch.randn(1, 13, 12))
    with pytest.raises(ValueError, match="prompts for 2 blocks expected, got 1"):
        encoder(wave, extra, prompts=torch.randn(1, 3, 12))
    for samples in (2399, 2800):
        with pytest.raises(ValueError, match=f"windows of 2400 samples expected, got {samples}"):
            encoder(sounds(1, samples), extra)


def test_gradient_reaches_tokens_prompts_and_every_weight():
    encoder, wave = made(), sounds(1)
    given = [torch.randn(1, 5, 12), torch.randn(2, 3, 12)]
    extra, prompts = (t.requires_grad_() for t in given)
    encoder(wave, extra, prompts=prompts).square().sum().backward()
    for tensor in (extra, prompts, *encoder.parameters()):
        assert tensor.grad is not None and tensor.grad.abs().max() > 0


def test_the_sinusoids_are_those_of_the_definition():
    table = sinusoids(7, 12)
    for position in range(7):
        for k in range(6):
            angle = position * 10_000 ** (-k / 5)
            assert table[position, k] == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[position, 6 + k] == pytest.approx(math.cos(angle), abs=1e-6)
    shifted = sinusoids(3, 12, step=0.5, start=2.0)
    torch.testing.assert_close(shifted[[0, 2]], table[[2, 3]])


def test_random_weights_start_as_whisper_s_modules_do():
    encoder = build_whisper(WhisperConfig())
    torch.testing.assert_close(encoder.positional_embedding, sinusoids(1500, 384))
    assert "positional_embedding" not in dict(encoder.named_parameters())
    key = encoder.blocks[3].attn.key.weight
    assert key.std().item() == pytest.approx(1 / math.sqrt(3 * 384), rel=0.03)
    for name, fan_in in {"conv1": 240, "conv2": 1152}.items():
        weight = encoder.get_submodule(name).weight
        assert weight.std().item() == pytest.approx(2 / math.sqrt(fan_in), rel=0.03)
    assert (encoder.blocks[0].attn_ln.weight == 1).all()
    # The encoder of tiny.en, from the literature's table of its widths.
    own = sum(p.numel() for p in encoder.parameters()) + 1500 * 384
    assert own - sum(p.numel() for p in encoder.new_parameters()) == 8_208_384


def test_raw_tokens_start_as_loud_as_mel_tokens_and_on_their_clock():
    encoder = build_whisper(WhisperConfig(patch=320, patch_hop=320, window=16_000, tied=False))
    tokens = encoder.embed(0.1 * torch.randn(4, 16_000))
    raw = tokens[:, 50:] - encoder.patch_position
    assert raw.square().mean().sqrt().item() == pytest.approx(TOKEN_RMS, rel=0.05)
    # A patch of 20 ms begins where a mel token is centred, and so stands half a step behind it.
    between = sinusoids(99, 384, step=0.5)[1::2]
    torch.testing.assert_close(encoder.patch_position[:49], between)
    quarter = build_whisper(WhisperConfig(patch=80, patch_hop=80, window=16_000, tied=False))
    centre = quarter.patch_position.unflatten(0, (50, 4))[:, 1:3].mean(1)
    torch.testing.assert_close(centre[:, :20], encoder.patch_position[:, :20], atol=0.02, rtol=0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ""}, "name is empty"),
        ({"n_blocks": 0}, "n_blocks must be at least 1, got 0"),
        ({"dim": 15}, "dim must be even and at least 4.*got 15"),
        ({"dim": 16}, "dim must be a multiple of n_heads=3, got 16"),
        ({"emphasis": 1.0}, r"emphasis must lie in \[0, 1\), got 1.0"),
        ({"emphasis": 0.5, "inputs": "mel"}, "without patches, emphasis must be 0"),
        ({"inputs": "ears"}, "inputs must be one of mel, raw, both, got 'ears'"),
        ({"patch_hop": 7}, r"whole patches: 600 \+ k·7 samples expected, got 2400"),
        ({"patch_hop": 601}, "patch_hop must be at most patch=600, got 601"),
        ({"window": 0, "inputs": "raw"}, "must hold whole patches: 600 .* expected, got 0"),
        ({"window": 200, "patch": 200}, "at least 201 samples for mel frames, got 200"),
        ({"window": 3120}, "3120 samples makes 10 mel tokens.*max_frames=9; shorten"),
    ],
)
def test_what_cannot_be_built_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_the_configuration_counts_as_the_spectrogram_does():
    assert MEL_TOKEN == 2 * HOP and MIN_WINDOW == MIN_SAMPLES
    for window in (201, 319, 320, 479, 480, 639, 640, 2400, 2880):
        encoder = WhisperEncoder(config("mel", window=window))
        assert encoder.embed(sounds(1, window)).shape[1] == encoder.config.n_mel_tokens
    assert WhisperConfig().n_mel_tokens == 50 and WhisperConfig().n_patches == 40


def test_a_random_stem_is_about_as_loud_as_the_pretrained_one():
    """Whose mel tokens, without positions, have a root mean square of 0.40 to 0.43 on speech."""
    torch.manual_seed(0)
    encoder = build_whisper(WhisperConfig(inputs="mel", window=16_000))
    time = torch.arange(16_000) / 16_000
    tones = sum(torch.sin(2 * math.pi * f * time) for f in (220, 900, 2500))
    wave = (0.05 * tones + 0.02 * torch.randn(16_000))[None]
    content = encoder.embed(wave) - encoder.positional_embedding[:50]
    assert 0.2 < content.square().mean().sqrt() < 0.9


@pytest.fixture
def weights(tmp_path):
    """A pretrained file in OpenAI's naming, in float16, and its contents."""
    state = {k: v.half().contiguous() for k, v in made("mel", seed=7).state_dict().items()}
    save_file(state, tmp_path / "whisper.safetensors")
    return tmp_path / "whisper.safetensors", state


@pytest.mark.parametrize("inputs", ALL_INPUTS)
def test_a_file_is_loaded_bit_for_bit_and_the_rest_is_new(inputs, weights):
    path, state = weights
    torch.manual_seed(3)
    random = build_whisper(config(inputs)).state_dict()
    torch.manual_seed(3)
    loaded = build_whisper(config(inputs), pretrained=path).state_dict()
    assert loaded.keys() == random.keys()
    for name, value in loaded.items():
        assert value.dtype == torch.float32
        expected = random[name] if name.startswith("patch_") else state[name].float()
        torch.testing.assert_close(value, expected, rtol=0, atol=0)


@pytest.mark.parametrize("inputs", ALL_INPUTS)
def test_a_file_that_lacks_or_adds_a_weight_is_refused(inputs, weights):
    path, state = weights
    name = "blocks.1.attn.query.bias"
    for altered, message in (
        ({k: v for k, v in state.items() if k != name}, f"Missing: {name}"),
        (state | {"blocks.1.attn.key.bias": torch.zeros(12)}, "Unexpected: blocks.1.attn.key.bias"),
        (state | {"patch_position": torch.zeros(6, 12)}, "Unexpected: patch_position"),
        (state | {name: torch.zeros(13)}, f"size mismatch for {name}"),
    ):
        save_file(altered, path)
        with pytest.raises(ValueError, match=f"(?s)does not hold the weights.*{message}"):
            build_whisper(config(inputs), pretrained=str(path))


def test_only_an_encoder_without_mel_frames_does_without_the_stem(weights):
    path, state = weights
    save_file({k: v for k, v in state.items() if not k.startswith("conv")}, path)
    build_whisper(config("raw"), pretrained=path)
    for inputs in ("mel", "both"):
        with pytest.raises(ValueError, match="Missing: conv1.bias, conv1.weight, conv2.bias"):
            build_whisper(config(inputs), pretrained=path)


def test_without_a_file_the_remedy_is_named(tmp_path):
    with pytest.raises(ValueError, match="no backbone file .*python -m train.sources.whisper"):
        build_whisper(config(), pretrained=tmp_path / "none.safetensors")
