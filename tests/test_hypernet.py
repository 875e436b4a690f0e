import dataclasses
import math

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


def inr_by_hand(made, config, encoded):
    """Eq. 1–2 of the paper for one picture, number by number in Python's floats."""
    state = {key: value.double().tolist() for key, value in made.state_dict().items()}
    weights, first_token = [], 0
    for layer, (n_in, n_out) in enumerate(config.field.layer_shapes):
        n_tokens = min(config.n_groups, n_out)
        masks = []
        for token in encoded[first_token : first_token + n_tokens]:
            mean = sum(token) / DIM
            variance = sum((v - mean) ** 2 for v in token) / DIM
            normed = [
                (v - mean) / math.sqrt(variance + 1e-5) * g + b
                for v, g, b in zip(
                    token,
                    state[f"heads.{layer}.0.weight"],
                    state[f"heads.{layer}.0.bias"],
                    strict=True,
                )
            ]
            rows = zip(
                state[f"heads.{layer}.1.weight"], state[f"heads.{layer}.1.bias"], strict=True
            )
            masks.append([sum(w * v for w, v in zip(r, normed, strict=True)) + b for r, b in rows])
        first_token += n_tokens
        base, columns = state[f"base.{layer}"], []
        for out in range(n_out):
            mask = masks[out // (n_out // n_tokens)]
            column = [base[i][out] * mask[i] for i in range(n_in)]
            length = math.sqrt(sum(v * v for v in column))
            if not config.field.unit_output and layer == len(config.field.layer_shapes) - 1:
                length = 1.0
            columns.append([v / length for v in column])
        weights.append(torch.tensor(columns, dtype=torch.float64).T)
    biases = [torch.tensor(state[f"biases.{k}"]) for k in range(len(weights))]
    return weights, biases


@pytest.mark.parametrize("n_groups", [1, 2, 8])
def test_agrees_with_the_equations_written_out(n_groups):
    config = ModelConfig(field=CONFIG.field, n_groups=n_groups)
    made = heads(config)
    encoded = torch.randn(2, sum(config.groups), DIM)
    params = made(encoded).params()
    for index in range(2):
        weights, biases = inr_by_hand(made, config, encoded[index].double().tolist())
        for layer, (w, b) in enumerate(zip(weights, biases, strict=True)):
            torch.testing.assert_close(
                params.weights[layer][index].double(), w, atol=1e-5, rtol=1e-4
            )
            torch.testing.assert_close(params.biases[layer][index], b.float())


def test_every_column_has_unit_norm():
    params = heads()(10 * torch.randn(3, sum(CONFIG.groups), DIM)).params()
    for weight in params.weights:
        torch.testing.assert_close(weight.norm(dim=1), torch.ones(3, weight.shape[2]))


def test_a_token_gates_its_own_group_of_outputs_and_no_other():
    made, encoded = heads(), torch.randn(1, sum(CONFIG.groups), DIM)
    before = made(encoded).params().weights
    changed = encoded.clone()
    changed[0, 4 + 2] += torch.randn(DIM)  # the third of the second layer's four tokens
    after = made(changed).params().weights
    torch.testing.assert_close(after[0], before[0])
    torch.testing.assert_close(after[2], before[2])
    moved = (after[1] - before[1]).abs().amax(dim=1)[0] > 1e-6
    assert moved.tolist() == [False] * 4 + [True] * 2 + [False] * 2


def test_biases_are_shared_by_all_pictures():
    params = heads()(torch.randn(3, sum(CONFIG.groups), DIM)).params()
    for bias in params.biases:
        torch.testing.assert_close(bias[0], bias[2], rtol=0, atol=0)


def test_starts_as_a_thin_haze_close_to_the_base():
    made = WeightHeads(DIM, CONFIG)
    assert made.biases[-1].tolist() == [-4, 0, 0, 0]
    assert made.tokens.shape == (4 + 4 + 4, DIM)
    with torch.no_grad():
        for head in made.heads:
            head[1].weight.zero_()
    for weight, base in zip(made(torch.randn(1, 12, DIM)).params().weights, made.base, strict=True):
        torch.testing.assert_close(weight[0], base / base.norm(dim=0))


def test_gradient_reaches_tokens_heads_base_biases_and_encoder():
    model = tiny.model()
    params = model.encode(torch.rand(2, 3, 28, 28))
    # Weights have unit norm, so a plain sum of squares would have no gradient.
    target = tiny.params(seed=9)
    loss = sum((w - t).square().sum() for w, t in zip(params.weights, target.weights, strict=True))
    loss = loss + sum(b.square().sum() for b in params.biases)
    loss.backward()
    without = [
        name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0
    ]
    assert not without


def test_gradient_by_finite_differences():
    config = ModelConfig(field=FieldConfig(width=4, depth=2, n_freqs=1), n_groups=2)
    made = heads(config).double()
    encoded = torch.randn(1, 4, DIM, dtype=torch.float64, requires_grad=True)
    own = [made.base[0], made.heads[0][1].weight, made.heads[1][0].weight, made.biases[1]]

    def written(encoded, *_):
        params = made(encoded).params()
        return (*params.weights, *params.biases)

    assert torch.autograd.gradcheck(written, (encoded, *own))


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
        own = encoded[which // 3, 9 * (which % 3) : 9 * (which % 3) + 9].double().tolist()
        weights, _ = inr_by_hand(made, config, own)
        for found, expected in zip(params[which].weights, weights, strict=True):
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
    token = encoded[1, 4 + 2]
    normed = (token - token.mean()) / (token.var(correction=0) + 1e-5).sqrt()
    normed = normed * state["heads.1.0.weight"] + state["heads.1.0.bias"]
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
        token = encoded[1, k]
        normed = (token - token.mean()) / (token.var(correction=0) + 1e-5).sqrt()
        head = state["head.1.weight"] @ normed + state["head.1.bias"]
        columns.append(head + state["patterns"][:, k])
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


@pytest.mark.parametrize("changes", [{"algorithm": "ipc"}, {"biases": "generated"}])
def test_gradient_reaches_all_of_the_other_algorithms(changes):
    model = tiny.model(**changes)
    params = model.encode(torch.rand(2, 3, 28, 28))
    target = tiny.params(seed=9)
    loss = sum((w - t).square().sum() for w, t in zip(params.weights, target.weights, strict=True))
    loss = loss + sum(b.square().sum() for b in params.biases)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in model.parameters())
    assert {id(p) for p in model.heads.matrices()} <= {id(p) for p in model.heads.parameters()}


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
