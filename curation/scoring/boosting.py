"""Gradient boosting beside the scorer's last logistic regression."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit
from sklearn.ensemble import HistGradientBoostingClassifier

from curation.intervals.judgements import Judgements
from curation.scoring.threads import one_thread
from labeling.keys.arrays import Floats, Floats32, Ints

MIN_BOOSTED = 300
"""Audits below which boosting is not tried."""

N_TREES, N_LEAVES, MIN_IN_LEAF, N_BINS = 60, 8, 20, 32
RATE, RIDGE = 0.12, 5.0


def fit_boosting(
    base: Floats32, extra: Floats32, judged: Judgements
) -> HistGradientBoostingClassifier:
    """Fit small trees on the judged candidates (Friedman 2001, on histograms).

    Parameters
    ----------
    base
        ``float32[n, f]``: features.
    extra
        ``float32[9, n]``: the rates and the support of the last round.
    judged
        Judgements to learn from.
    """
    model = HistGradientBoostingClassifier(
        learning_rate=RATE,
        max_iter=N_TREES,
        max_leaf_nodes=N_LEAVES,
        min_samples_leaf=MIN_IN_LEAF,
        l2_regularization=RIDGE,
        max_bins=N_BINS,
        early_stopping=False,
        random_state=0,
    )
    x = _at_quantiles(_columns(base, extra, judged.row))
    with one_thread("openmp"):
        return model.fit(x, judged.correct, judged.weight)


def predict_boosting(
    model: HistGradientBoostingClassifier, base: Floats32, extra: Floats32, row: Ints, p: Floats
) -> Floats:
    """Return the probability of the candidates of some rows, ``float64[m]``.

    Its logit is the mean of that of the trees and that of the last round: their errors differ.

    Parameters
    ----------
    model, base, extra
        The fitted trees, and the features of `fit_boosting`.
    row
        ``int64[m]``: rows to predict.
    p
        ``float64[m]``: their probabilities by the last round.
    """
    with one_thread("openmp"):
        of_trees = model.decision_function(_columns(base, extra, row))
    blend: Floats = expit((of_trees + logit(np.clip(p, 1e-6, 1 - 1e-6))) / 2)
    return blend


def _at_quantiles(x: Floats32) -> Floats32:
    """Return each column's values moved to the nearest of `N_BINS` of its quantiles.

    The trees split half-way between quantiles, so a moved value goes the same way as before.
    scikit-learn alone would find bins by weight, one percentile at a time, which takes longer than
    the trees.
    """
    moved = np.empty_like(x)
    shares = np.linspace(0, 1, N_BINS)
    for i, column in enumerate(x.T):
        values = np.unique(np.quantile(column, shares, method="nearest"))
        moved[:, i] = values[np.searchsorted((values[1:] + values[:-1]) / 2, column)]
    return moved


def _columns(base: Floats32, extra: Floats32, row: Ints) -> Floats32:
    return np.column_stack([base[row], extra[:, row].T])
