"""A loss to which easy negatives contribute little."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

GAMMA_NEGATIVE = 4.0
MARGIN = 0.05


def asymmetric(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the asymmetric loss (Ridnik et al. 2021, 2.4): easy negatives weigh little.

    Negatives with a probability below `MARGIN` have no loss, others theirs times the fourth power
    of the probability above it; positives are as in `training.losses.logistic`.

    Examples
    --------
    >>> logits = torch.tensor([[0.0, 0.0, -3.0]])
    >>> asymmetric(logits, torch.tensor([[1.0, 0, 0]]), torch.ones(1, 3))
    tensor([[0.6931, 0.0245, 0.0000]])
    """
    p = (logits.sigmoid() - MARGIN).clamp(min=0)
    negative = -(p**GAMMA_NEGATIVE) * torch.log1p(-p)
    return weight * (target * F.softplus(-logits) + (1 - target) * negative)
