"""Differences of two series measured with the same seeds at the same sizes."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from training.study.points import CONFIDENCE, Band, Floats


def differences(first: Floats, second: Floats) -> list[Band]:
    """Return the first minus the second at each size, with simultaneous intervals.

    Seeds are paired: a seed decides the images and the first weights of both. All sizes share one
    variance of the differences. Student's t is taken at ``1 - 0.05 / S`` (Bonferroni), so that all
    intervals together have 95 %.

    Parameters
    ----------
    first, second
        ``float64[S, m]``: performance at S sizes with m seeds.

    Examples
    --------
    >>> [one] = differences(np.array([[0.5, 0.6, 0.7]]), np.array([[0.4, 0.5, 0.5]]))
    >>> round(one.estimate, 3), one.low > 0
    (0.133, False)
    """
    pairs = first - second
    n_sizes, n_seeds = pairs.shape
    means = pairs.mean(axis=1)
    if n_seeds < 2:
        return [Band(float(mean), np.nan, np.nan) for mean in means]
    freedom = n_sizes * (n_seeds - 1)
    variance = ((pairs - means[:, None]) ** 2).sum() / freedom
    at = student.ppf(1 - (1 - CONFIDENCE) / 2 / n_sizes, freedom)
    half = float(at * np.sqrt(variance / n_seeds))
    return [Band(mean, mean - half, mean + half) for mean in means.tolist()]
