import dataclasses

import pytest
import torch
from jaxtyping import TypeCheckError

from hyperdemo.config import FieldConfig
from hyperdemo.inr import InrParams
from tests import tiny


def test_length_and_size():
    params = tiny.params(FieldConfig(), batch=3)
    assert len(params) == 3 and params.n_parameters == 58244


def test_one_of_a_batch_is_a_batch_of_one():
    params = tiny.params(batch=3)
    for index, same in ((1, 1), (-1, 2)):
        one = params[index]
        assert len(one) == 1
        for part, whole in zip(one.tensors().values(), params.tensors().values(), strict=True):
            torch.testing.assert_close(part[0], whole[same], rtol=0, atol=0)
    assert len(list(params)) == 3


def test_comes_back_from_its_flat_names():
    params = tiny.params(batch=2)
    named = params.tensors()
    assert list(named)[:3] == ["layers.0.weight", "layers.0.bias", "layers.1.weight"]
    again = InrParams.from_tensors(dict(sorted(named.items(), reverse=True)))
    torch.testing.assert_close(vars(again), vars(params), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("missing", "extra", "message"),
    [
        ("layers.1.bias", (), "lacks .*|unexpected"),
        (None, ("x", "y"), r"lacks 'layers\.3\.weight'"),
        (None, ("extra",), "unexpected tensors"),
    ],
)
def test_names_that_are_missing_or_too_many_are_refused(missing, extra, message):
    named = tiny.params().tensors() | dict.fromkeys(extra, torch.zeros(1))
    named.pop(missing, None)
    with pytest.raises(ValueError, match=message):
        InrParams.from_tensors(named)


W1, W2, B1, B2 = torch.zeros(1, 3, 8), torch.zeros(1, 8, 4), torch.zeros(1, 8), torch.zeros(1, 4)


@pytest.mark.parametrize(
    ("weights", "biases", "message"),
    [
        ((), (), "as many biases as weights"),
        ((W1, W2), (B1,), "got 1 for 2 layers"),
        ((W1, W1), (B1, B1), r"layer 1: a weight \[b, 8, outputs\]"),
        ((W1, W2), (B1, B1), "layer 1"),
        ((W1, W2), (B1, B2.expand(2, 4)), "layer 1"),
    ],
)
def test_layers_that_do_not_chain_are_refused(weights, biases, message):
    with pytest.raises(ValueError, match=message):
        InrParams(weights, biases)


def test_it_is_a_value():
    params = tiny.params()
    with pytest.raises(dataclasses.FrozenInstanceError):
        params.weights = ()
    attached = InrParams(tuple(w.clone().requires_grad_() for w in params.weights), params.biases)
    assert not any(t.requires_grad for t in attached.detach().tensors().values())
    assert attached.weights[0].requires_grad


def test_a_value_s_promised_types_are_checked_in_tests():
    with pytest.raises(TypeCheckError, match="weights"):
        InrParams((W1.long(), W2), (B1, B2))
