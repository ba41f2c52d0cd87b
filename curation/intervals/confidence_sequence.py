"""Intervals that hold after every batch of audits, whichever batch is the last."""

from __future__ import annotations

import math

GROWTH = (1.25, 4.0)
"""Smallest and largest ratio of the audits of a look to those of the look before."""

MARGIN = 1.05
"""Factor on the number of audits that a width needs."""


def confidence_of_look(look: int, confidence: float) -> float:
    """Return the confidence that the interval of a look must have for all of them to hold at once.

    The k-th look may fail with probability ``alpha / (k (k + 1))``. The sum of these is alpha, so
    with probability `confidence` the intervals of *all* looks hold, for any number of looks, any
    set kept at each of them and any rule to stop: a confidence sequence by a union bound over
    batches, as in stitching (Howard, Ramdas, McAuliffe & Sekhon 2021, "Time-uniform,
    nonparametric, nonasymptotic confidence sequences", section 3.1).

    Parameters
    ----------
    look
        1 for the first.
    confidence
        Of all looks together, in (0, 1).

    Examples
    --------
    >>> [round(confidence_of_look(k, 0.95), 4) for k in (1, 2, 3)]
    [0.975, 0.9917, 0.9958]
    """
    return 1 - (1 - confidence) / (look * (look + 1))


def n_of_next_look(n: int, width: float, target: float) -> int:
    """Return the number of audits that the next look needs for an interval of a width.

    Parameters
    ----------
    n
        Audits so far.
    width
        Width of their interval at the confidence of the next look.
    target
        Width to reach.

    Examples
    --------
    >>> n_of_next_look(500, 0.06, 0.04)
    1182
    >>> n_of_next_look(500, 0.12, 0.03)
    2000
    """
    # A width falls with the root of the number of audits.
    growth = MARGIN * (width / target) ** 2
    return math.ceil(n * min(max(growth, GROWTH[0]), GROWTH[1]))
