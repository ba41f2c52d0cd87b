"""Shares of right ones in many groups of audited pairs at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from curation.intervals.precision import clopper_pearson
from labeling.keys.arrays import Floats, Ints, Mask


class Rates(NamedTuple):
    """Share of right ones of each group, with its interval.

    Attributes
    ----------
    n
        ``int64[n_groups]``: audited pairs.
    share, low, high
        ``float64[n_groups]`` in [0, 1]; NaN without an audited pair.
    """

    n: Ints
    share: Floats
    low: Floats
    high: Floats


def rates(group: Ints, right: Mask, weight: Floats, n_groups: int, confidence: float) -> Rates:
    """Return the share of right ones of each group, weighted by ``1 / p_inclusion``.

    The interval is that of Clopper and Pearson on Kish's ``(Σw)² / Σw²`` audits. Each holds for one
    group by itself, and verdicts are taken as the truth.

    Parameters
    ----------
    group
        ``int64[m]``: the group of each audited pair.
    right, weight
        ``[m]`` each: whether the pair is right, and its weight.
    confidence
        Of each interval, in (0, 1).

    Examples
    --------
    >>> each = rates(np.array([1, 1, 1, 1]), np.array([1, 1, 1, 0]) > 0, np.ones(4), 2, 0.95)
    >>> each.n.tolist(), each.share.round(2).tolist(), each.low.round(2).tolist()
    ([0, 4], [nan, 0.75], [nan, 0.19])
    """
    sums = [np.bincount(group, values, n_groups) for values in (weight, weight**2, weight * right)]
    whole, squares, of_right = sums
    known = whole > 0
    share = np.where(known, of_right / np.where(known, whole, 1), np.nan)
    kish = whole**2 / np.where(known, squares, 1)
    low, high = clopper_pearson(np.nan_to_num(share) * kish, kish, confidence)
    n = np.bincount(group, minlength=n_groups)
    return Rates(n, share, np.where(known, low, np.nan), np.where(known, high, np.nan))
