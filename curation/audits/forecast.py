"""About how many candidates a number of audits would prove, before they are drawn."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from curation.audits.two_phase import FOR_PRECISION
from curation.intervals.precision import clopper_pearson

N_SETS = 1000
"""Nested sets that are tried, as a threshold table has."""


def expected_share(
    p_correct: npt.NDArray[np.floating], target: float, n: int, confidence: float = 0.95
) -> float:
    """Return about which share of the candidates can be proved to be precise.

    As if the scores were the truth, and `n` pairs were drawn flat among those that may be kept
    (`curation.audits.two_phase.FOR_PRECISION`): the largest set of the most probable whose lower
    bound (Clopper & Pearson 1934), with a finite-population correction, reaches the target.

    Parameters
    ----------
    p_correct
        ``float[n_pairs]``: probability of each candidate.
    target, confidence
        In (0, 1).
    n
        Number of audits, those of the first draw included.

    Returns
    -------
    float
        In [0, 1]; 0 if nothing could be proved.

    Examples
    --------
    >>> p = np.linspace(1, 0, 10_001)
    >>> [round(expected_share(p, 0.9, n), 2) for n in (20, 500, 10_000)]
    [0.0, 0.15, 0.2]
    """
    best = np.sort(np.asarray(p_correct, np.float64))[::-1]
    if not len(best):
        return 0.0
    size = np.unique(np.ceil(np.arange(1, N_SETS + 1) * len(best) / N_SETS).astype(np.int64))
    precision = np.cumsum(best)[size - 1] / size
    precise = np.flatnonzero(precision >= target)
    if not len(precise):
        return 0.0
    zone = min(FOR_PRECISION.inner * size[precise[-1]], len(best))
    n_inside = np.minimum(n * size / zone, size)
    unjudged = np.maximum(1 - n_inside / size, 1e-9)
    n_effective = n_inside / unjudged
    low, _ = clopper_pearson(precision * n_effective, n_effective, 2 * confidence - 1)
    proved = np.flatnonzero(low >= target)
    return float(size[proved[-1]] / len(best)) if len(proved) else 0.0
