"""The optimiser of a hypernetwork: AdamW, and Muon for the matrices of heads and base weights."""

from __future__ import annotations

import math
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hyperdemo.config import Rates
from hyperdemo.hypernet import PatternComposer, WeightHeads


@runtime_checkable
class Learner(Protocol):
    """What learns, as `hyperdemo.model.HyperModel` is."""

    heads: WeightHeads | PatternComposer

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Trainable parameters of the encoder, and the others."""


class Muon(torch.optim.Muon):
    """Torch's Muon with its Newton-Schulz iteration in float32.

    Torch iterates in bfloat16, which a CPU without instructions for it emulates: there the heads
    took a third of the training step, and in float32 a twentieth of that.
    """

    @torch.no_grad()
    def step(self) -> None:
        for group in self.param_groups:
            for p in (p for p in group["params"] if p.grad is not None):
                state = self.state[p]
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p.grad)
                momentum = state["momentum_buffer"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(momentum, group["momentum"])
                coefficients, steps = group["ns_coefficients"], group["ns_steps"]
                update = orthogonalise(update, coefficients=coefficients, steps=steps)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(update, alpha=group["lr"] * 0.2 * math.sqrt(max(p.shape)))


def orthogonalise(
    matrix: Float[Tensor, "m n"], *, coefficients: tuple[float, float, float], steps: int
) -> Float[Tensor, "m n"]:
    """U Vᵀ of the singular value decomposition, nearly, by Newton-Schulz (Jordan et al., 2024).

    Its singular values end between 0.7 and 1.2, which is as good for training.
    """
    a, b, c = coefficients
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    out = wide / wide.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = out @ out.T
        out = torch.addmm(out, torch.addmm(gram, gram, gram, beta=b, alpha=c), out, beta=a)
    return out.T if wide is not matrix else out


class Optimizers:
    """Several optimisers stepped as one; `param_groups` are those of all of them."""

    def __init__(self, *members: torch.optim.Optimizer):
        self.members = members
        self.param_groups = [group for member in members for group in member.param_groups]

    def zero_grad(self) -> None:
        for member in self.members:
            member.zero_grad(set_to_none=True)

    def step(self) -> None:
        for member in self.members:
            member.step()

    def state_dict(self) -> list[dict[str, Any]]:
        return [member.state_dict() for member in self.members]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Restore what `state_dict` gave; a `ValueError` if that was of other optimisers."""
        for member, state in zip(self.members, states, strict=True):
            member.load_state_dict(state)
        self.param_groups = [group for member in self.members for group in member.param_groups]


def build_optimizer(model: Learner, config: Rates) -> Optimizers:
    """AdamW, the encoder at its own rate and decay on matrices only; Muon for the heads.

    All encoded tokens share a large mean and differ by little. AdamW first spends hundreds of steps
    on the mean; Muon (Jordan et al., 2024) makes the update of a matrix orthogonal, so that every
    direction of its input learns at once.
    """
    encoder, own = model.parameter_groups()
    heads = model.heads.matrices() if config.lr_heads else []
    own = [p for p in own if not any(p is head for head in heads)]
    groups = [
        {"params": members, "peak_lr": lr, "weight_decay": decay}
        for params, lr in ((encoder, config.lr_backbone), (own, config.lr))
        for members, decay in (
            ([p for p in params if p.ndim >= 2], config.weight_decay),
            ([p for p in params if p.ndim < 2], 0.0),
        )
        if members
    ]
    built = [torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.95), fused=True)]
    if heads:
        group = {"params": heads, "peak_lr": config.lr_heads, "weight_decay": 0.0}
        built.append(Muon([group], lr=config.lr_heads, adjust_lr_fn="match_rms_adamw"))
    return Optimizers(*built)


def descend(optimizer: Optimizers, loss: Float[Tensor, ""], *, clip: float) -> Float[Tensor, ""]:
    """One step down the gradient of a loss; returns the gradient's norm before it was clipped.

    Args:
        optimizer: of all parameters that are to move.
        loss: of which they are the leaves.
        clip: largest norm of the gradient.

    Raises:
        FloatingPointError: the gradient is no longer finite; nothing has moved.
    """
    optimizer.zero_grad()
    loss.backward()
    moving = [p for group in optimizer.param_groups for p in group["params"]]
    norm = nn.utils.clip_grad_norm_(moving, clip)
    if not torch.isfinite(norm):
        raise FloatingPointError("the gradient is not finite; lower the learning rate")
    optimizer.step()
    return norm


def learning_rate_scale(step: int, *, warmup: int, steps: int, decay: float = 1.0) -> float:
    """Linear warm-up to 1, a plateau, and in the last share `decay` a cosine down to 0.01."""
    if step < warmup:
        return (step + 1) / warmup
    start = max(warmup, steps - round(decay * steps))
    progress = min(1.0, max(0, step - start) / max(1, steps - start))
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress))


@torch.no_grad()
def move_average(average: nn.Module, model: nn.Module, *, step: int, ema: float) -> None:
    """Move an exponential average of weights on, faster early on, so that it forgets the start.

    Args:
        average: a copy of the model, which is changed.
        model: whose trainable weights are averaged.
        step: of the training, from 1.
        ema: decay of the average, once it is old.
    """
    decay = min(ema, (1 + step) / (10 + step))
    pairs = zip(average.parameters(), model.parameters(), strict=True)
    averaged, current = zip(*((a, p) for a, p in pairs if p.requires_grad), strict=True)
    torch._foreach_lerp_(averaged, current, 1 - decay)
