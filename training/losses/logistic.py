"""The loss of independent labels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def logistic(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the loss of a yes or no for each label by itself, as in Sun et al. 2017.

    Examples
    --------
    >>> import torch
    >>> logistic(torch.zeros(1, 3), torch.tensor([[1.0, 0, 0]]), torch.tensor([[1.0, 1, 0]]))
    tensor([[0.6931, 0.6931, 0.0000]])
    """
    return F.binary_cross_entropy_with_logits(logits, target, weight, reduction="none")
