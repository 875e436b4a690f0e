import pytest
import torch
from safetensors.torch import save_file

from hyperdemo.backbones.pretrained import NoWeights, create, load_strict, read_weights


def test_a_network_comes_without_its_classifier():
    net = create("resnet10t", hub=False, options={"channels": (8, 8, 8, 16)})
    assert not any(name.startswith("fc.") for name in net.state_dict())
    assert create("resnet10t.c3_in1k", hub=False, options={}).num_features == 512


def test_options_that_do_not_suit_are_no_fault_of_the_hub_s():
    with pytest.raises(ValueError, match="cannot build 'resnet18'.*img_size") as raised:
        create("resnet18", hub=True, options={"img_size": 64})
    assert not isinstance(raised.value, NoWeights)


def test_all_weights_of_a_file_and_no_others(tmp_path):
    path, net = tmp_path / "net.safetensors", torch.nn.Linear(2, 3)
    with pytest.raises(NoWeights, match="there is no backbone file .*net.safetensors; fetch it"):
        read_weights(path, remedy="fetch it")
    save_file({"weight": torch.ones(3, 2), "bias": torch.ones(3)}, path)
    load_strict(net, read_weights(path, remedy=""), path=path)
    assert net.weight.eq(1).all() and net.bias.eq(1).all()
    for state in ({"weight": torch.ones(3, 2)}, {"weight": torch.ones(2, 2), "bias": net.bias}):
        with pytest.raises(ValueError, match="net.safetensors does not hold the weights"):
            load_strict(net, state, path=path)
