from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from training.model.averaging import Average


def network(value: float) -> nn.Module:
    norm = nn.BatchNorm2d(1)
    for tensor in norm.state_dict().values():
        tensor.fill_(value)
    return norm


@settings(max_examples=20)
@given(st.floats(0.01, 0.99), st.lists(st.integers(-9, 9), min_size=1, max_size=30))
def test_each_step_has_the_share_that_the_decay_leaves_it(decay: float, values: list[int]) -> None:
    average = Average(network(5), decay)
    expected = 5.0
    for step, value in enumerate(values, 1):
        average.update(network(value), step)
        kept = min(decay, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * value
    for name in ("weight", "bias", "running_mean", "running_var"):
        assert average.state[name].item() == pytest.approx(expected, abs=1e-5)
    assert average.state["num_batches_tracked"].item() == values[-1]


def test_it_does_not_follow_the_network_by_itself() -> None:
    net = network(1)
    average = Average(net, 0.5)
    with torch.no_grad():
        net.weight.fill_(3)
    assert average.state["weight"].item() == 1
