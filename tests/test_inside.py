"""What is shown of a hypernetwork against its blocks, worked out one token at a time."""

import torch

from hyperdemo.inside import look_inside, roll_out
from tests import tiny


def pictures(n: int = 1) -> torch.Tensor:
    return torch.rand(n, 3, 28, 28, generator=torch.Generator().manual_seed(1))


def test_attention_is_what_the_blocks_do_token_by_token():
    model, pixels = tiny.model(), pictures()
    inside = look_inside(model, pixels)
    data = model.encoder.embed(pixels)
    x = torch.cat([data, model.heads.weight_tokens()[None]], 1)
    n = data.shape[1]
    with torch.no_grad():
        for block, heads in zip(model.encoder.blocks, inside.attention, strict=True):
            attn, normed = block.attn, block.norm1(x)[0]
            q, k, v = attn.qkv(normed).chunk(3, dim=-1)
            width = q.shape[1] // attn.num_heads
            out = torch.zeros_like(q)
            for h in range(attn.num_heads):
                own = slice(h * width, (h + 1) * width)
                for row in range(len(q)):
                    exps = torch.exp(k[:, own] @ q[row, own] / width**0.5)
                    weights = exps / exps.sum()
                    out[row, own] = weights @ v[:, own]
                    if row >= n:
                        torch.testing.assert_close(heads[h, row - n], weights[:n])
            # That it is attention and nothing else is told by what the block makes of it.
            torch.testing.assert_close(attn(block.norm1(x))[0], attn.proj(out))
            x = block(x)


def test_what_is_written_is_the_model_s_own():
    model, pixels = tiny.model(), pictures()
    written, expected = look_inside(model, pixels).written.params(), model.encode(pixels)
    for ours, theirs in zip(written.weights, expected.weights, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_rolled_out_rows_keep_their_sum_and_identity_stays():
    attention = torch.rand(3, 2, 5, 5).softmax(-1)
    torch.testing.assert_close(roll_out(attention).sum(1), torch.ones(5))
    torch.testing.assert_close(roll_out(torch.eye(5).expand(3, 2, 5, 5)), torch.eye(5))
    half = 0.5 * (attention[:1].mean(1)[0] + torch.eye(5))
    torch.testing.assert_close(roll_out(attention[:1]), half)


def test_prompts_are_no_part_of_what_is_shown():
    plain, prompted = tiny.model(), tiny.model(adapt="prompt", n_prompts=3)
    shapes = [look_inside(m, pictures()).attention.shape for m in (plain, prompted)]
    assert shapes[0] == shapes[1]
