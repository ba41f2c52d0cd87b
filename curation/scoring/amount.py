"""Amount of evidence for a candidate, without any audit."""

from __future__ import annotations

import numpy as np

from curation.scoring.features import FeatureTable
from labeling.keys.arrays import Floats

FULL = 0.99
"""Strength from which evidence is certain."""


def evidence_amount(table: FeatureTable) -> Floats:
    """Return how much evidence of all sources there is for each candidate.

    The evidence of a source is ``-log(1 - strength)``, times ``1 + log(pages)``, since pages copy
    one another. The sum over the sources is in units of one certain page, and `x` units make
    ``x / (1 + x)``. The noisy-or, which is ``1 - exp(-sum)`` without pages, is so near 1 as soon as
    two sources are certain that it no longer ranks what has more evidence.

    Parameters
    ----------
    table
        The candidates.

    Returns
    -------
    float64[n]
        In [0, 1), not a probability.
    """
    strength, log_pages = (
        table.values[:, [table.names.index(f"{source}.{measure}") for source in table.sources]]
        for measure in ("strength", "log_pages")
    )
    surprise = -np.log1p(-np.minimum(strength.astype(np.float64), FULL))
    n_pages = np.maximum(np.expm1(log_pages.astype(np.float64)), 1.0)
    units = (surprise * (1 + np.log(n_pages))).sum(axis=1) / -np.log1p(-FULL)
    amount: Floats = units / (1 + units)
    return amount
