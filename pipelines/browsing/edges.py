"""Pairs just above and just below a threshold."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from labeling.keys.arrays import Ints, Mask

N_EDGE = 24
"""Pairs of each kind that are shown."""


class Edges(NamedTuple):
    """Pairs next to a threshold, `N_EDGE` of each kind at most.

    Attributes
    ----------
    above
        The least probable that the threshold keeps, the least first.
    below
        The most probable that are dropped, the most first.
    worst
        The least probable that are kept for the floor of their label.
    """

    above: Ints
    below: Ints
    worst: Ints


def edges(p: npt.NDArray[np.float32], kept: Mask, allowed: Mask, threshold: float | None) -> Edges:
    """Return the pairs next to a threshold.

    Parameters
    ----------
    p
        ``float32[n]``: their probabilities.
    kept, allowed
        ``bool[n]``: those kept, and those that no limit excludes.
    threshold
        The smallest probability down to which nothing is dropped; None if groups have their own.

    Examples
    --------
    >>> p, kept = np.array([0.9, 0.8, 0.7, 0.6], np.float32), np.array([1, 1, 0, 1], bool)
    >>> [side.tolist() for side in edges(p, kept, np.ones(4, bool), 0.75)]
    [[1, 0], [2], [3]]
    """
    is_above = kept if threshold is None else kept & (p >= np.float32(threshold))
    return Edges(
        _least(p, is_above),
        _least(-p, allowed & ~kept),
        _least(p, kept & ~is_above),
    )


def _least(p: npt.NDArray[np.float32], inside: Mask) -> Ints:
    rows = np.flatnonzero(inside)
    if len(rows) > N_EDGE:
        rows = np.sort(rows[np.argpartition(p[rows], N_EDGE)[:N_EDGE]])
    return rows[np.argsort(p[rows], kind="stable")]
