"""What a step of training makes small.

Each loss takes logits, targets and weights, ``float32[n, n_labels]`` each, and returns the loss of
every image and label, in nats. Targets are probabilities to be right, in [0, 1]; a label of weight
0 has no part. A step sums over the labels and averages over the images, so that the gradient of one
image, and with it the right learning rate, is independent of how many labels it does not show.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

GAMMA_NEGATIVE = 4.0
MARGIN = 0.05
_MASKED = -1e9


def logistic(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the loss of a yes or no for each label by itself, as in Sun et al. 2017.

    Examples
    --------
    >>> logistic(torch.zeros(1, 3), torch.tensor([[1.0, 0, 0]]), torch.tensor([[1.0, 1, 0]]))
    tensor([[0.6931, 0.6931, 0.0000]])
    """
    return F.binary_cross_entropy_with_logits(logits, target, weight, reduction="none")


def softmax(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the cross entropy of one choice among the labels (Mahajan et al. 2018, 2.2).

    Each of the k labels that an image shows has 1/k of the choice, times its probability to be
    right. What is left is spread over all labels: label smoothing, by as much as the labels are
    doubtful. An image without labels has no loss.

    Examples
    --------
    >>> target = torch.tensor([[0.8, 0.8, 0, 0]])
    >>> softmax(torch.zeros(1, 4), target, torch.ones(1, 4)).sum() == torch.tensor(4.0).log()
    tensor(True)
    """
    known = (weight > 0).float()
    shown = (target > 0).float() * known
    chosen = shown * target / shown.sum(1, keepdim=True).clamp(min=1)
    left = (1 - chosen.sum(1, keepdim=True)) * shown.amax(1, keepdim=True)
    chosen = chosen + left * known / known.sum(1, keepdim=True).clamp(min=1)
    return -chosen * F.log_softmax(logits.masked_fill(known == 0, _MASKED), dim=1)


def asymmetric(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the asymmetric loss (Ridnik et al. 2021, 2.4): easy negatives weigh little.

    Negatives of a probability below 0.05 have no loss, others theirs times the fourth power of the
    probability; positives are as in `logistic`.

    Examples
    --------
    >>> logits = torch.tensor([[0.0, 0.0, -3.0]])
    >>> asymmetric(logits, torch.tensor([[1.0, 0, 0]]), torch.ones(1, 3))
    tensor([[0.6931, 0.0245, 0.0000]])
    """
    p = (logits.sigmoid() - MARGIN).clamp(min=0)
    negative = -(p**GAMMA_NEGATIVE) * torch.log1p(-p)
    return weight * (target * F.softplus(-logits) + (1 - target) * negative)


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "logistic": logistic,
    "softmax": softmax,
    "asymmetric": asymmetric,
}


def without_largest(each: Tensor, target: Tensor, weight: Tensor, n: int) -> Tensor:
    """Return the losses with the n largest of assumed negatives set to 0 (Kim et al. 2022, LL-R).

    A label that was not proposed for an image is assumed to be absent. Networks learn what is
    right before what is wrong: where the loss of such a negative stays large, it is likely shown.

    Parameters
    ----------
    each, target, weight
        ``float32[n_images, n_labels]``; assumed negatives have target 0 and a weight above 0.
    n
        At most the number of assumed negatives.

    Examples
    --------
    >>> target = torch.tensor([[1.0, 0, 0]])
    >>> without_largest(torch.tensor([[0.9, 0.2, 0.5]]), target, torch.ones(1, 3), n=1)
    tensor([[0.9000, 0.2000, 0.0000]])
    """
    assumed = (target == 0) & (weight > 0)
    largest = each.detach().masked_fill(~assumed, -1.0).flatten().topk(n).indices
    kept = torch.ones_like(each).flatten().index_fill_(0, largest, 0.0)
    return each * kept.view_as(each)
