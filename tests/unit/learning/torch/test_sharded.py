"""Which parts of a network `fsdp` gathers one at a time."""

import pytest
import torch

from deeprc.applications.forecasting.network import Forecaster
from deeprc.applications.forecasting.zoo import ZOO
from deeprc.core.errors import ConfigError
from deeprc.learning.torch.sharded import blocks, constants

META = {"horizon": 12, "input_size": 24, "future": ["a", "b"], "history": ["x"], "series": ["one"]}


@pytest.mark.parametrize("name", ZOO)
def test_each_part_of_a_network_is_gathered_once(name):
    """Torch refuses one that is given twice; TCN has its convolutions under two names."""
    network = Forecaster(name, ZOO[name].options, META)
    found = blocks(network)
    assert len({*map(id, found)}) == len(found) > 0
    inner = [part for block in found for part in block.modules()]
    assert len({*map(id, inner)}) == len(inner)


def test_what_a_list_holds_is_a_part_and_so_is_a_child_that_holds_none():
    shared = torch.nn.Linear(2, 2)
    network = torch.nn.ModuleDict(
        {"one": shared, "two": torch.nn.Sequential(shared, torch.nn.ReLU(), torch.nn.LSTM(2, 2))}
    )
    assert [type(block).__name__ for block in blocks(network)] == ["Linear", "LSTM"]


def test_a_learned_number_is_refused_and_one_that_is_not_stays_whole():
    network = torch.nn.Linear(2, 2)
    network.scale = torch.nn.Parameter(torch.tensor(0.5), requires_grad=False)
    assert constants(network) == {network.scale}
    network.scale.requires_grad_(True)
    with pytest.raises(ConfigError, match=r"a weight of it is a single number\n  found: scale"):
        constants(network)
