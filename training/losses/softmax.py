"""The loss of one choice among all labels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

# Not infinity: a difference of two infinite logits is NaN.
_MASKED = -1e9


def softmax(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the cross entropy of one choice among the labels (Mahajan et al. 2018, 2.2).

    Each of the k labels of an image has 1/k of the choice, times its probability of being right.
    The rest is spread over all labels: label smoothing in proportion to the doubt. An image
    without labels has no loss.

    Examples
    --------
    >>> import torch
    >>> target = torch.tensor([[0.8, 0.8, 0, 0]])
    >>> softmax(torch.zeros(1, 4), target, torch.ones(1, 4)).sum() == torch.tensor(4.0).log()
    tensor(True)
    """
    known = (weight > 0).float()
    shown = (target > 0).float() * known
    chosen = shown * target / shown.sum(1, keepdim=True).clamp(min=1)
    rest = (1 - chosen.sum(1, keepdim=True)) * shown.amax(1, keepdim=True)
    chosen = chosen + rest * known / known.sum(1, keepdim=True).clamp(min=1)
    return -chosen * F.log_softmax(logits.masked_fill(known == 0, _MASKED), dim=1)
