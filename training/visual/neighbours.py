"""Agreement of the images that look alike."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from labeling.keys.arrays import Floats32, Ints

N_NEIGHBOURS = 20
TEMPERATURE = 0.1
"""Weight of a neighbour: the exponential of its cosine, divided by this."""

COPY = 0.95
"""Cosine from which an image is treated as a copy, whose labels have the same source."""

CHUNK = 1 << 25
"""Cosines that are computed at a time."""


def agreement(
    features: Tensor, targets: csr_array, asked: Ints, among: Ints, image: Ints, label: Ints
) -> Floats32:
    """Return the mean target of the images nearest to an image, for some pairs.

    The `N_NEIGHBOURS` nearest vote with weights that fall with the angle, as in section 3.4 of Wu
    et al. 2018, "Unsupervised feature learning via non-parametric instance discrimination". Near
    copies do not vote.

    Parameters
    ----------
    features
        ``float32[n, d]``, rows of one length (`training.visual.heads.standardise`).
    targets
        ``float32[n, n_labels]``: probability that the image shows the label.
    asked, among
        Images to ask about, and those that vote.
    image, label
        ``int64[m]``: the position of an image in `asked`, and a label.

    Returns
    -------
    ndarray
        ``float32[m]`` in [0, 1].
    """
    k = min(N_NEIGHBOURS, len(among))
    if not k or not len(asked):
        return np.zeros(len(image), np.float32)
    units = torch.nn.functional.normalize(features, dim=1)
    voters = units[torch.from_numpy(among)]
    nearest, cosine = [], []
    for part in torch.split(units[torch.from_numpy(asked)], max(1, CHUNK // len(among))):
        values = part @ voters.T
        values[values >= COPY] = -1
        best = values.topk(k, dim=1)
        nearest.append(best.indices.cpu().numpy())
        cosine.append(best.values.cpu().numpy())
    column, closeness = np.concatenate(nearest), np.concatenate(cosine)
    weight = np.exp((closeness - closeness[:, :1]) / TEMPERATURE)
    weight /= weight.sum(axis=1, keepdims=True)
    starts = np.arange(0, column.size + 1, k)
    votes = csr_array((weight.ravel(), column.ravel(), starts), (len(asked), len(among)))
    shares = votes @ targets[among]
    return np.asarray(shares[image, label], np.float32).ravel()
