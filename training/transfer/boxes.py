"""Overlap of boxes, and which of many overlapping ones to keep.

Boxes are ``float[n, 4]``: left, top, right, bottom, in pixels, with right and bottom outside.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def area(boxes: Tensor) -> Tensor:
    """Return the area of each box: ``float[n]``, at least 0."""
    sides = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0)
    return sides[..., 0] * sides[..., 1]


def iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the intersection over union of each of n boxes with each of m: ``float[n, m]``.

    Examples
    --------
    >>> iou(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2], [5, 5, 6, 6]]))
    tensor([[0.3333, 0.0000]])
    """
    common = area(_intersection(a[:, None], b[None]))
    union = area(a)[:, None] + area(b)[None] - common
    return common / union.clamp(min=torch.finfo(union.dtype).tiny)


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return how well box i of `a` matches box i of `b`: ``float[n]``, in (-1, 1].

    Intersection over union, less the share of the enclosing box that is in neither (Rezatofighi et
    al. 2019), so that boxes apart are drawn together too. Areas must be above 0.

    Examples
    --------
    >>> generalised_iou(torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[3.0, 0, 4, 1]]))
    tensor([-0.5000])
    """
    common = area(_intersection(a, b))
    union = area(a) + area(b) - common
    hull = area(torch.cat([a[:, :2].minimum(b[:, :2]), a[:, 2:].maximum(b[:, 2:])], 1))
    return common / union - (hull - union) / hull


def suppress(boxes: Tensor, scores: Tensor, classes: Tensor, threshold: float) -> Tensor:
    """Return which boxes stay when each removes those of its class that overlap it and score less.

    Greedy non-maximum suppression. Of equal scores the first counts as the higher.

    Parameters
    ----------
    boxes, scores, classes
        ``float[n, 4]``, ``float[n]`` and ``int64[n]``.
    threshold
        Intersection over union above which a box is removed.

    Returns
    -------
    Tensor
        ``int64[k]``: the rows that stay, by falling score.
    """
    order = scores.argsort(descending=True, stable=True)
    rivals = iou(boxes[order], boxes[order]) > threshold
    rivals &= classes[order][:, None] == classes[order][None]
    removes = rivals.cpu().numpy()
    alive = np.ones(len(order), bool)
    for row in range(len(order)):
        if alive[row]:
            alive[row + 1 :] &= ~removes[row, row + 1 :]
    return order[torch.from_numpy(np.flatnonzero(alive)).to(order.device)]


def _intersection(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([a[..., :2].maximum(b[..., :2]), a[..., 2:].minimum(b[..., 2:])], -1)
