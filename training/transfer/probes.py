"""Classifiers of frozen features: nearest neighbours, and a linear one."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

Features: TypeAlias = npt.NDArray[np.float64]
Classes: TypeAlias = npt.NDArray[np.int64]

NEIGHBOURS = 20
TEMPERATURE = 0.07

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Penalties that the linear probe chooses among."""

FOLDS = 5


def nearest(train: Features, classes: Classes, test: Features) -> Classes:
    """Return the class that the nearest training images vote for, by the cosine of features.

    The `NEIGHBOURS` nearest vote with weight ``exp(cosine / TEMPERATURE)``, as in section 3.4 of
    Wu et al. 2018, "Unsupervised feature learning via non-parametric instance discrimination".

    Parameters
    ----------
    train, test
        ``float64[n, d]`` and ``float64[m, d]``.
    classes
        ``int64[n]``, from 0.

    Returns
    -------
    ndarray
        ``int64[m]``.
    """

    def weight(distance: Features) -> Features:
        return np.exp((1 - distance) / TEMPERATURE)

    n_neighbours = min(NEIGHBOURS, len(train))
    model = KNeighborsClassifier(n_neighbours, weights=weight, metric="cosine")
    predicted: Classes = model.fit(train, classes).predict(test)
    return predicted


def linear_probe(
    train: Features, classes: Classes, test: Features, seed: int = 0
) -> tuple[Classes, float]:
    """Return the classes by logistic regression on standardised features, and its penalty.

    The penalty is the one of `PENALTIES` with the highest likelihood over `FOLDS` folds of the
    training images; the test images have no part in it.

    Parameters
    ----------
    train, test
        ``float64[n, d]`` and ``float64[m, d]``.
    classes
        ``int64[n]``, from 0.
    seed
        Seed of the folds.

    Returns
    -------
    classes
        ``int64[m]``.
    penalty
        Weight of half the squared norm of the coefficients against the mean loss in nats.
    """
    scaler = StandardScaler().fit(train)
    x = scaler.transform(train)
    fold = np.random.default_rng(seed).permutation(len(x)) % FOLDS
    losses = sum(
        (_held_out_losses(x, classes, fold != number) for number in range(FOLDS)),
        start=np.zeros(len(PENALTIES)),
    )
    penalty = PENALTIES[int(np.argmin(losses))]
    *_, model = _regressions(x, classes, [p for p in PENALTIES if p >= penalty])
    predicted: Classes = model.predict(scaler.transform(test))
    return predicted, penalty


def _held_out_losses(x: Features, classes: Classes, inside: npt.NDArray[np.bool_]) -> Features:
    """Return the loss of each penalty, in nats, on the images that are not `inside`.

    Images of a class that is missing inside cannot be predicted, and have no loss.
    """
    known = np.unique(classes[inside])
    outside = ~inside & np.isin(classes, known)
    losses = np.zeros(len(PENALTIES))
    if len(known) > 1 and outside.any():
        column = np.searchsorted(known, classes[outside])
        for i, model in enumerate(_regressions(x[inside], classes[inside], PENALTIES), 1):
            logs = model.predict_log_proba(x[outside])
            losses[-i] = -logs[np.arange(len(column)), column].sum()
    return losses


def _regressions(
    x: Features, classes: Classes, penalties: Sequence[float]
) -> Iterator[LogisticRegression]:
    """Yield the regression of each penalty, the largest first; it is one object, fitted again."""
    # Each fit begins at the coefficients of the one before, which is faster than at 0.
    model = LogisticRegression(warm_start=True, max_iter=200)
    for penalty in sorted(penalties, reverse=True):
        with warnings.catch_warnings():
            # A fit that 200 iterations do not finish is near enough to choose a penalty.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(C=1 / (penalty * len(x))).fit(x, classes)
        yield model
