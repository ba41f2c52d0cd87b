"""Pairs just above and just below a threshold."""

from __future__ import annotations

from typing import Literal, NamedTuple

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


def edges(
    p: npt.NDArray[np.float32],
    kept: Mask,
    allowed: Mask,
    threshold: float | None,
    start: Ints,
) -> Edges:
    """Return the pairs next to a threshold.

    Parameters
    ----------
    p
        ``float32[n]``: their probabilities, which fall within each label.
    kept, allowed
        ``bool[n]``: those kept, and those that no limit excludes.
    threshold
        The smallest probability down to which nothing is dropped; None if groups have their own.
    start
        ``int64[l]``: first pair of each label.

    Examples
    --------
    >>> p, kept = np.array([0.9, 0.8, 0.7, 0.6], np.float32), np.array([1, 1, 0, 1], bool)
    >>> [side.tolist() for side in edges(p, kept, np.ones(4, bool), 0.75, np.array([0]))]
    [[1, 0], [2], [3]]
    """
    is_above = kept if threshold is None else kept & (p >= np.float32(threshold))
    above, worst = (_of_each_label(each, start, -1) for each in (is_above, kept & ~is_above))
    below = _of_each_label(allowed & ~kept, start, 1)
    return Edges(_least(p, above), _least(-p, below), _least(p, worst))


def _of_each_label(inside: Mask, start: Ints, step: Literal[1, -1]) -> Ints:
    """Return the first `N_EDGE` rows of each label, or the last: others cannot be next to it."""
    rows = np.flatnonzero(inside)
    first = np.searchsorted(rows, start)
    end = np.append(first[1:], len(rows))
    begin = first if step == 1 else end - 1
    chosen = begin[:, None] + step * np.arange(N_EDGE)
    chosen = chosen[(chosen >= first[:, None]) & (chosen < end[:, None])]
    return np.sort(rows[chosen])


def _least(p: npt.NDArray[np.float32], rows: Ints) -> Ints:
    return rows[np.argsort(p[rows], kind="stable")][:N_EDGE]
