"""One level for the models of all folds.

A fold whose judged candidates are right more often than others leaves a training set that is right
less often, so its model's probabilities are lower, and the reverse. Where evidence is scarce,
a threshold over all folds would keep the folds with the worst verdicts, and the stated precision
would be below the true one (.41 for .50 with one label, equal evidence and 400 audits).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq

from curation.scoring.calibration import Map, shifted
from labeling.keys.arrays import Floats, Ints

N_COMMON = 20_000
"""Candidates, about, on which the models are compared."""

MAX_SHIFT = 5.0
"""Largest shift; models that differ by more have no common level, and are left as they are."""


def common_rows(n: int, judged: Ints) -> Ints:
    """Return rows to compare models on, ``int64[c]``, spread over all `n` candidates.

    Judged ones are left out where there are others: the output of a model for them depends on their
    verdicts.
    """
    free = np.setdiff1d(np.arange(n), judged)
    free = free if len(free) else np.arange(n)
    return free[:: max(len(free) // N_COMMON, 1)]


def centered(maps: Sequence[Map], p: Sequence[Floats]) -> list[Map]:
    """Shift the calibration of each fold's model so that all have the same mean on some candidates.

    The mean is that of all models. It is the same for all folds, so that the order of candidates
    depends on it nowhere.

    Parameters
    ----------
    maps
        The calibration of each fold.
    p
        ``float64[c]`` of each: probabilities of the same `c` candidates by the model of the fold,
        before its calibration.
    """
    level = float(np.mean([m.apply(x).mean() for m, x in zip(maps, p, strict=True)]))
    return [shifted(m, _shift(m, x, level)) for m, x in zip(maps, p, strict=True)]


def _shift(fitted: Map, p: Floats, level: float) -> float:
    """Return the shift of a map with which the mean of what it gives is `level`."""

    def excess(shift: float) -> float:
        return float(shifted(fitted, shift).apply(p).mean()) - level

    if excess(-MAX_SHIFT) >= 0 or excess(MAX_SHIFT) <= 0:
        return 0.0
    return float(brentq(excess, -MAX_SHIFT, MAX_SHIFT, xtol=1e-10))
