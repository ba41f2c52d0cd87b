from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from training.fit.averaging import moving_average


def network(value: float) -> nn.Module:
    norm = nn.BatchNorm2d(1)
    for tensor in norm.state_dict().values():
        tensor.fill_(value)
    return norm


@settings(max_examples=20)
@given(st.floats(0.01, 0.99), st.lists(st.integers(-9, 9), min_size=1, max_size=30))
def test_each_step_has_the_share_that_the_decay_leaves_it(decay: float, values: list[int]) -> None:
    average = moving_average(network(5), decay)
    expected = torch.full((1,), 5.0)
    for step, value in enumerate(values, 1):
        average.update_parameters(network(value))
        share = 1 - min(decay, (1 + step) / (10 + step))
        expected.lerp_(torch.full((1,), float(value)), share)
    state = average.module.state_dict()
    for name in ("weight", "bias", "running_mean", "running_var"):
        assert state[name].equal(expected)
    assert state["num_batches_tracked"].item() == values[-1]


def test_the_first_weights_are_soon_forgotten() -> None:
    average = moving_average(network(1), 0.99)
    average.update_parameters(network(0))
    assert average.module.weight.item() == pytest.approx(2 / 11)


def test_it_does_not_follow_the_network_by_itself() -> None:
    net = network(1)
    average = moving_average(net, 0.5)
    with torch.no_grad():
        net.weight.fill_(3)
    assert average.module.weight.item() == 1
