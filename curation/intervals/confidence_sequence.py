"""Intervals that may be looked at after every batch of audits, and stopped at any of them."""

from __future__ import annotations

import math

GROWTH = (1.25, 4.0)
"""Audits of one look are at least and at most so many times those of the look before."""

MARGIN = 1.05
"""Times more audits than are reckoned to be needed."""


def confidence_of_look(look: int, confidence: float) -> float:
    """Return the confidence that the interval of a look must have for all of them to hold at once.

    The k-th look may fail with probability ``alpha / (k (k + 1))``. These sum up to alpha, so with
    probability `confidence` the intervals of *all* looks hold, however many there will be, whatever
    is kept at each of them, and whatever decides when to stop: a confidence sequence by a union
    bound over batches, the way of stitching (Howard, Ramdas, McAuliffe & Sekhon 2021,
    "Time-uniform, nonparametric, nonasymptotic confidence sequences", section 3.1).

    Parameters
    ----------
    look
        1 for the first.
    confidence
        Of all together, in (0, 1).

    Examples
    --------
    >>> [round(confidence_of_look(k, 0.95), 4) for k in (1, 2, 3)]
    [0.975, 0.9917, 0.9958]
    """
    return 1 - (1 - confidence) / (look * (look + 1))


def n_of_next_look(n: int, width: float, target: float) -> int:
    """Return how many audits the next look should have for an interval of a width.

    Parameters
    ----------
    n
        Audits so far.
    width
        Width of their interval, with the confidence of the next look.
    target
        The width wanted.

    Examples
    --------
    >>> n_of_next_look(500, 0.06, 0.04)
    1182
    >>> n_of_next_look(500, 0.12, 0.03)
    2000
    """
    wanted = MARGIN * (width / target) ** 2
    return math.ceil(n * min(max(wanted, GROWTH[0]), GROWTH[1]))
