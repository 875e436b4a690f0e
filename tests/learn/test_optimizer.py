import pytest
import torch

from hyperdemo.learn.optimizer import Muon, build_optimizer
from hyperdemo.model import HyperModel
from tests import tiny
from tests.train import scenes
from train.state import TrainState


def test_each_group_has_its_own_rate_and_decay():
    config = scenes.train_config(lr=3e-3, lr_backbone=7e-4, weight_decay=0.1)
    model = tiny.model(init="scratch")
    optimizer = build_optimizer(model, config)
    rates, decays = {}, {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            rates[id(parameter)], decays[id(parameter)] = group["peak_lr"], group["weight_decay"]
    assert len(rates) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        assert rates[id(parameter)] == (7e-4 if name.startswith("encoder.") else 3e-3)
        assert decays[id(parameter)] == (0.1 if parameter.ndim >= 2 else 0.0)


def test_adamw_by_hand():
    """A matrix's entries from their gradients, with moments of 0.9 and 0.95."""
    model = tiny.model(init="scratch")
    optimizer = build_optimizer(model, scenes.train_config(lr=1.0, weight_decay=0.1))
    tokens = model.heads.tokens
    expected, first, second = tokens.detach().clone(), 0.0, 0.0
    for step, gradient in enumerate((3.0, 0.1, -0.2), start=1):
        tokens.grad = torch.full_like(tokens, gradient)
        optimizer.step()
        first, second = 0.9 * first + 0.1 * gradient, 0.95 * second + 0.05 * gradient**2
        mean, square = first / (1 - 0.9**step), second / (1 - 0.95**step)
        expected = expected * (1 - 0.1) - mean / (square**0.5 + 1e-8)
        torch.testing.assert_close(tokens.detach(), expected)


def test_the_schedule_reaches_every_group():
    config = scenes.train_config(lr=3e-3, lr_backbone=7e-4, lr_heads=2e-2)
    state = TrainState(config, HyperModel(config.model), device=torch.device("cpu"))
    for state.step, scale in ((1, 1.0), (0, 0.5)):
        assert state.set_learning_rate() == scale
    assert {group["lr"] for group in state.optimizer.param_groups} == {1.5e-3, 3.5e-4, 1e-2}


@pytest.mark.parametrize("adapt", ["frozen", "prompt"])
def test_a_frozen_encoder_is_not_in_the_optimiser(adapt):
    model = tiny.model(adapt=adapt)
    optimizer = build_optimizer(model, scenes.train_config(lr_heads=1e-2))
    count = sum(p.numel() for group in optimizer.param_groups for p in group["params"])
    assert count == model.n_trainable


@pytest.mark.parametrize("biases", ["shared", "generated"])
@pytest.mark.parametrize("lr_heads", [0.0, 1e-2])
def test_heads_and_base_weights_alone_are_made_orthogonal(lr_heads, biases):
    """Against the singular value decomposition of the gradient, which is Muon's first momentum."""
    model = tiny.model(init="scratch", biases=biases)
    optimizer = build_optimizer(model, scenes.train_config(lr_heads=lr_heads))
    optimizer.param_groups[-1]["lr"] = 1.0
    names = {id(p): name for name, p in model.named_parameters()}
    matrices = {names[id(p)] for p in model.heads.matrices()}
    assert matrices == {n for n in names.values() if n.startswith("heads.base")} | {
        n for n in names.values() if n.startswith("heads.heads") and n.endswith("1.weight")
    }
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.ndim == 2}
    torch.manual_seed(3)
    for p in model.parameters():
        p.grad = torch.randn_like(p)
    optimizer.step()
    for name, old in before.items():
        p = model.get_parameter(name)
        u, _, vt = torch.linalg.svd(p.grad, full_matrices=False)
        step = old - p.detach()
        alike = (step.flatten() @ (u @ vt).flatten()) / (step.norm() * (u @ vt).norm())
        if lr_heads and name in matrices:
            # The iteration in five steps leaves singular values between 0.7 and 1.2 of their aim.
            assert alike > 0.97, name
            values = torch.linalg.svdvals(step) / (0.2 * max(p.shape) ** 0.5)
            assert 0.6 < values.min() and values.max() < 1.3, name
        else:
            assert alike < 0.97, name


@pytest.mark.parametrize("shape", [(6, 40), (40, 6), (16, 16)])
def test_muon_is_torch_s_in_single_precision(shape):
    """Torch iterates in bfloat16, so the two agree to its three digits, step after step."""
    torch.manual_seed(1)
    start = torch.randn(shape)
    ours, theirs = (torch.nn.Parameter(start.clone()) for _ in range(2))
    settings = {"lr": 0.05, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    optimizers = Muon([ours], **settings), torch.optim.Muon([theirs], **settings)
    for _ in range(5):
        gradient = torch.randn(shape)
        for parameter, optimizer in zip((ours, theirs), optimizers, strict=True):
            parameter.grad = gradient.clone()
            optimizer.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved
    assert (ours - start).norm() > 0.5 * moved
