"""Learning rates and weight decay of gradient descent."""

from __future__ import annotations

import math

from torch import nn


def rate_at(step: int, steps: int, warmup_share: float) -> float:
    """Return the learning rate of a step (from 1) as a share of the highest one.

    It grows linearly over the first steps and falls to 0 along a cosine (Loshchilov & Hutter 2017,
    without restarts).

    Examples
    --------
    >>> [round(rate_at(step, 100, 0.1), 3) for step in (1, 10, 55, 100)]
    [0.1, 1.0, 0.5, 0.0]
    """
    n_warm = round(warmup_share * steps)
    if step <= n_warm:
        return step / n_warm
    return (1 + math.cos(math.pi * (step - n_warm) / max(1, steps - n_warm))) / 2


def decayed(network: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Return a network's trainable parameters in two groups: kernels, which decay, and others."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
