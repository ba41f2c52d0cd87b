"""A moving average of a network's weights: steadier than the weights of any one step."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def moving_average(network: nn.Module, decay: float) -> AveragedModel:
    """Return the exponential moving average of the weights and statistics of a network.

    Parameters
    ----------
    network
        Its weights are the first value of the average.
    decay
        In (0, 1). The first steps decay faster, (1 + step) / (10 + step), so that the first weights
        are soon forgotten (as in TensorFlow's ExponentialMovingAverage).
    """

    def update(averages: Sequence[Tensor], values: Sequence[Tensor], step: Tensor | int) -> None:
        share = 1 - min(decay, (1 + int(step)) / (10 + int(step)))
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value, share)
            else:  # number of batches that a normalisation has seen
                average.copy_(value)

    average = AveragedModel(network, multi_avg_fn=update, use_buffers=True)
    # At 0, torch would replace the first weights in the first step instead of averaging them.
    average.n_averaged.fill_(1)
    return average
