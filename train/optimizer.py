"""The optimiser of a hypernetwork: AdamW, and Muon for the matrices that write the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from hyperdemo.model import HyperModel
from train.config import TrainConfig


class Optimizers:
    """Several optimisers stepped as one.

    Attributes:
        param_groups: those of all of them, to set learning rates.
    """

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
        """Restore what `state_dict` gave.

        Raises:
            ValueError: the state is of other optimisers.
        """
        for member, state in zip(self.members, states, strict=True):
            member.load_state_dict(state)
        self.param_groups = [group for member in self.members for group in member.param_groups]


def build_optimizer(model: HyperModel, config: TrainConfig) -> Optimizers:
    """AdamW, the encoder at its own rate and decay on matrices only; Muon for the heads.

    All encoded tokens share a large mean, and what tells one picture from another is the small
    rest. AdamW first spends hundreds of steps on the mean; Muon (Jordan et al., 2024) makes the
    update of a matrix orthogonal, so that every direction of its input learns at once.
    """
    encoder, own = model.parameter_groups()
    heads: list[nn.Parameter] = []
    if config.lr_heads:
        heads = model.heads.matrices()
        own = [p for p in own if not any(p is head for head in heads)]
    groups: list[dict[str, Any]] = []
    for params, lr in ((encoder, config.lr_backbone), (own, config.lr)):
        matrices = [p for p in params if p.ndim >= 2]
        vectors = [p for p in params if p.ndim < 2]
        for members, decay in ((matrices, config.weight_decay), (vectors, 0.0)):
            if members:
                groups.append({"params": members, "peak_lr": lr, "weight_decay": decay})
    built: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=config.lr, betas=(0.9, 0.95), fused=True)
    ]
    if heads:
        built.append(
            torch.optim.Muon(
                [{"params": heads, "peak_lr": config.lr_heads, "weight_decay": 0.0}],
                lr=config.lr_heads,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    return Optimizers(*built)
