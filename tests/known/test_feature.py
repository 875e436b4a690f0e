import pytest
import torch

from hyperdemo.known.feature import TOKEN, TOKENS, picture_feature, picture_tokens
from tests import tiny


def outputs_of(model, pixels):
    """The encoder's own outputs at all tokens, by a hook on its last layer."""
    seen = []
    handle = model.encoder.vit.blocks[-1].register_forward_hook(lambda *_: seen.append(_[-1]))
    model.write(pixels)
    handle.remove()
    return model.encoder.vit.norm(seen[0])


@pytest.mark.parametrize("adapt", ["full", "prompt"])
def test_tokens_are_those_of_the_pass_that_writes_the_networks(adapt):
    model = tiny.model(adapt=adapt, init="foundation").requires_grad_(False)
    pixels = torch.rand(3, 3, 28, 28)
    tokens = picture_tokens(model, pixels)
    assert tokens.shape == (3, 1 + 4, 48)
    torch.testing.assert_close(tokens, outputs_of(model, pixels)[:, :5])


def test_a_feature_is_one_direction_per_picture():
    model = tiny.model().requires_grad_(False)
    pixels = torch.rand(2, 3, 28, 28)
    feature, tokens = picture_feature(model, pixels), picture_tokens(model, pixels)
    torch.testing.assert_close(feature.norm(dim=1), torch.ones(2))
    by_hand = {"class": tokens[:, 0], "patches": sum(tokens[:, k] for k in range(1, 5)) / 4}
    assert set(TOKENS) == set(by_hand)
    for name, take in TOKENS.items():
        torch.testing.assert_close(take(tokens), by_hand[name])
    cosine = torch.cosine_similarity(feature, by_hand[TOKEN])
    torch.testing.assert_close(cosine, torch.ones(2))
    assert torch.cosine_similarity(feature[:1], feature[1:]) < 0.9999
