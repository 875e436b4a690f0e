"""What Whisper's encoder takes from a file of pretrained weights, and what it refuses."""

import pytest
import torch
from safetensors.torch import save_file

from hyperdemo.backbones.whisper import build_whisper
from tests.backbones.test_whisper import ALL_INPUTS, config, made


@pytest.fixture
def weights(tmp_path):
    """A pretrained file in OpenAI's naming, in float16, and what it holds."""
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
    with pytest.raises(ValueError, match="no hub is known.*python -m train.sources.whisper"):
        build_whisper(config(), pretrained=True)
    with pytest.raises(
        ValueError, match="there is no backbone file .*python -m train.sources.whisper"
    ):
        build_whisper(config(), pretrained=tmp_path / "none.safetensors")
