"""What a step of training makes small."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def logistic(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted logistic loss: summed over the labels, averaged over the images.

    The sum makes the gradient of one image, and with it the right learning rate, independent of
    how many labels there are that the image does not show.

    Parameters
    ----------
    logits
        ``float32[n, n_labels]``.
    target
        ``float32[n, n_labels]``: probability that the label is right, in [0, 1].
    weight
        ``float32[n, n_labels]``, at least 0; a label of weight 0 has no part in the loss.

    Returns
    -------
    Tensor
        ``float32``, at least 0, in nats an image.

    Examples
    --------
    >>> import torch
    >>> logistic(torch.zeros(1, 3), torch.tensor([[1.0, 0, 0]]), torch.tensor([[1.0, 1, 0]]))
    tensor(1.3863)
    """
    each = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="sum")
    return each / len(logits)
