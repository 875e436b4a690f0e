import dataclasses

import pytest
import torch

from hyperdemo.config import FieldConfig, ModelConfig, SoundFieldConfig
from hyperdemo.hypernet import PatternComposer, WeightHeads, build_heads
from tests import tiny

DIM = 6
CONFIG = ModelConfig(field=FieldConfig(width=8, depth=3, n_freqs=2), n_groups=4)


def heads(config=CONFIG):
    """Heads away from their start, where all masks are one."""
    made = WeightHeads(DIM, config)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return made


def normed_by_hand(state, head, token):
    """LayerNorm of one token by its definition."""
    unit = (token - token.mean()) / (token.var(correction=0) + 1e-5).sqrt()
    return unit * state[f"{head}.0.weight"] + state[f"{head}.0.bias"]


def weights_by_hand(made, config, encoded):
    """Eq. 1–2 of the paper for one INR, column by column in float64."""
    state = {key: value.double() for key, value in made.state_dict().items()}
    weights, tokens = [], iter(encoded.double())
    last = len(config.field.layer_shapes) - 1
    for layer, (_, n_out) in enumerate(config.field.layer_shapes):
        n_tokens, columns = min(config.n_groups, n_out), []
        for group in range(n_tokens):
            head = f"heads.{layer}"
            normed = normed_by_hand(state, head, next(tokens))
            mask = state[f"{head}.1.weight"] @ normed + state[f"{head}.1.bias"]
            for out in range(group * n_out // n_tokens, (group + 1) * n_out // n_tokens):
                column = state[f"base.{layer}"][:, out] * mask
                unit = config.field.unit_output or layer < last
                columns.append(column / column.square().sum().sqrt() if unit else column)
        weights.append(torch.stack(columns, dim=1))
    return weights


@pytest.mark.parametrize("n_groups", [1, 2, 8])
def test_agrees_with_the_equations_written_out(n_groups):
    config = ModelConfig(field=CONFIG.field, n_groups=n_groups)
    made = heads(config)
    encoded = torch.randn(2, sum(config.groups), DIM)
    params = made(encoded).params()
    for index in range(2):
        by_hand = weights_by_hand(made, config, encoded[index])
        for weight, expected in zip(params.weights, by_hand, strict=True):
            torch.testing.assert_close(weight[index].double(), expected, atol=1e-5, rtol=1e-4)
        for bias, shared in zip(params.biases, made.biases, strict=True):
            torch.testing.assert_close(bias[index], shared)


def test_starts_as_a_thin_haze_close_to_the_base():
    made = WeightHeads(DIM, CONFIG)
    assert made.biases[-1].tolist() == [-4, 0, 0, 0]
    assert made.tokens.shape == (4 + 4 + 4, DIM)
    with torch.no_grad():
        for head in made.heads:
            head[1].weight.zero_()
    for weight, base in zip(made(torch.randn(1, 12, DIM)).params().weights, made.base, strict=True):
        torch.testing.assert_close(weight[0], base / base.norm(dim=0))


@pytest.mark.parametrize("changes", [{}, {"algorithm": "ipc"}, {"biases": "generated"}])
def test_gradient_reaches_every_parameter(changes):
    model = tiny.model(**changes)
    params = model.encode(torch.rand(2, 3, 28, 28))
    # Weights have unit norm, so a plain sum of squares would have no gradient.
    target = tiny.params(seed=9)
    loss = sum((w - t).square().sum() for w, t in zip(params.weights, target.weights, strict=True))
    loss = loss + sum(b.square().sum() for b in params.biases)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    assert {id(p) for p in model.heads.matrices()} <= {id(p) for p in model.heads.parameters()}


@pytest.mark.parametrize("unit_output", [True, False])
def test_stretches_share_heads_and_differ_by_their_tokens(unit_output):
    field = SoundFieldConfig(
        stretch=1200, overlap=400, width=8, depth=3, n_freqs=2, unit_output=unit_output
    )
    backbone = dataclasses.replace(tiny.WHISPER, window=2800, tied=False, patch=400)
    config = ModelConfig(backbone=backbone, field=field, n_groups=4)
    clock = torch.randn(3, DIM)
    made = WeightHeads(DIM, config, clock=clock)
    assert made.weight_tokens().shape == (27, DIM)
    torch.testing.assert_close(made.weight_tokens()[9:18], made.tokens + clock[1])
    encoded = torch.randn(2, 27, DIM)
    params = made(encoded).params()
    assert len(params) == 6
    for which in range(6):
        own = encoded[which // 3, 9 * (which % 3) : 9 * (which % 3) + 9]
        for found, expected in zip(
            params[which].weights, weights_by_hand(made, config, own), strict=True
        ):
            torch.testing.assert_close(found[0].double(), expected, atol=1e-5, rtol=1e-4)
    loud = params.weights[-1].norm(dim=1)
    assert torch.allclose(loud, torch.ones(6, 1)) == unit_output


def test_generated_biases_start_shared_and_are_what_their_tokens_say():
    config = dataclasses.replace(CONFIG, biases="generated")
    encoded = torch.randn(3, sum(config.groups), DIM)
    start = WeightHeads(DIM, config)(encoded).params()
    for bias in start.biases:
        assert torch.equal(bias, bias[:1].expand_as(bias))
    made = heads(config)
    params, state = made(encoded).params(), made.state_dict()
    # The third of the second layer's four tokens writes the biases of its own two outputs.
    normed = normed_by_hand(state, "heads.1", encoded[1, 4 + 2])
    shift = state["shifts.1.weight"] @ normed + state["shifts.1.bias"]
    torch.testing.assert_close(params.biases[1][1, 4:6], state["biases.1"][4:6] + shift)
    assert config.n_written == CONFIG.n_written + 8 + 8 + 4 == made(encoded).n_written // 3 - 1


def test_instance_patterns_write_one_layer_of_the_rank_that_they_have_tokens():
    config = dataclasses.replace(CONFIG, algorithm="ipc", n_groups=3)
    assert config.groups == (0, 3, 0) and config.n_written == 8 * 3
    made = build_heads(DIM, config)
    assert isinstance(made, PatternComposer) and made.weight_tokens().shape == (3, DIM)
    encoded = torch.randn(2, 3, DIM)
    written = made(encoded)
    params, state = written.params(), made.state_dict()
    assert written.n_written == 2 * (config.n_written + 1)
    columns = []
    for k in range(3):
        normed = normed_by_hand(state, "head", encoded[1, k])
        column = state["head.1.weight"] @ normed + state["head.1.bias"]
        columns.append(column + state["patterns"][:, k])
    product = sum(torch.outer(c, row) for c, row in zip(columns, state["base.1"], strict=True))
    torch.testing.assert_close(params.weights[1][1], product / product.norm(dim=0))
    for layer in (0, 2):
        base = state[f"base.{layer}"]
        torch.testing.assert_close(
            params.weights[layer], (base / base.norm(dim=0)).expand(2, -1, -1)
        )
    # Alike tokens still make a factor of full rank, for training to start from.
    alike = made(torch.randn(1, 1, DIM).expand(1, 3, DIM)).masks[1]
    assert torch.linalg.svdvals(alike)[0, -1] > 0.1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"algorithm": "gan"}, "algorithm must be one of"),
        ({"biases": "none"}, "biases must be one of"),
        ({"algorithm": "ipc", "biases": "generated"}, "write one layer and no biases"),
        ({"algorithm": "ipc", "n_groups": 9}, "the rank of a layer of"),
    ],
)
def test_what_no_algorithm_can_do_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(CONFIG, **changes)
    with pytest.raises(ValueError, match="sound is written with"):
        tiny.sound_config(algorithm="ipc")
