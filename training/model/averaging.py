"""A moving average of a network's weights: steadier than the weights of any one step."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class Average:
    """The exponential moving average of the weights and statistics of a network.

    Parameters
    ----------
    network
        Its state is where the average begins.
    decay
        In (0, 1). The first steps decay faster, (1 + step) / (10 + step), so that what the network
        began with is soon forgotten (as in TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._decay = decay
        self.state: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in network.state_dict().items()
        }

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the network after a step, counted from 1."""
        share = 1 - min(self._decay, (1 + step) / (10 + step))
        for name, tensor in network.state_dict().items():
            if tensor.is_floating_point():
                self.state[name].lerp_(tensor, share)
            else:
                self.state[name].copy_(tensor)

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from an earlier `state`."""
        for name, tensor in self.state.items():
            tensor.copy_(state[name])
