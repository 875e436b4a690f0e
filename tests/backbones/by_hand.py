"""Transformer blocks from their definition, for one input in float64."""

import math

import torch
import torch.nn.functional as F


def linear(state, name, x):
    return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def norm(state, name, x, eps):
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def run_blocks_by_hand(state, x, *, prompts, n_heads, names, eps):
    """Tokens `[n, d]` after all blocks.

    Args:
        state: parameters in float64.
        prompts: `[l, p, d]` or None.
        names: in a block, of its two norms, the queries, keys, values and output of its attention,
            and the two maps of its MLP.
    """
    norm1, norm2, query, key, value, out, up, down = names
    length = len(x)
    for block in range(sum(name.endswith(f"{norm1}.weight") for name in state)):
        if prompts is not None:
            x = torch.cat([x[:length], prompts[block].double()])
        own = {
            name.removeprefix(f"blocks.{block}."): value
            for name, value in state.items()
            if name.startswith(f"blocks.{block}.")
        }
        normed, mixed = norm(own, norm1, x, eps), []
        q, k, v = (linear(own, name, normed) for name in (query, key, value))
        for q_head, k_head, v_head in zip(*(t.chunk(n_heads, 1) for t in (q, k, v)), strict=True):
            scores = (q_head @ k_head.T / math.sqrt(q_head.shape[1])).softmax(-1)
            mixed.append(scores @ v_head)
        x = x + own.get("ls1.gamma", 1.0) * linear(own, out, torch.cat(mixed, dim=1))
        hidden = F.gelu(linear(own, up, norm(own, norm2, x, eps)))
        x = x + own.get("ls2.gamma", 1.0) * linear(own, down, hidden)
    return x[:length]
