"""Rejection of assumed negatives that are probably positives."""

from __future__ import annotations

import torch
from torch import Tensor


def without_largest(losses: Tensor, target: Tensor, weight: Tensor, n: int) -> Tensor:
    """Return the losses with the n largest of assumed negatives set to 0 (Kim et al. 2022, LL-R).

    A label that was not proposed for an image is assumed to be absent. Networks learn what is
    right before what is wrong: a negative whose loss remains large is probably a positive.

    Parameters
    ----------
    losses, target, weight
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
    # Losses are at least 0, so that -1 is below each of them.
    largest = losses.detach().masked_fill(~assumed, -1.0).flatten().topk(n).indices
    kept = torch.ones_like(losses).flatten().index_fill_(0, largest, 0.0)
    return losses * kept.view_as(losses)
