"""Calibration: of the candidates with a probability of .8, 8 of 10 are right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from scipy.special import logit as exact_logit
from sklearn.isotonic import IsotonicRegression

from curation.intervals.judgements import Verdicts
from labeling.keys.arrays import Floats

PRIOR_JUDGEMENTS = 20.0
"""Precision of the prior that keeps log-slope and intercept near 0."""

MIN_ISOTONIC = 5000
"""Judgements from which the calibration may have any rising shape."""

_EDGE = 1e-6
_FLOOR = 1e-4


@dataclass(frozen=True)
class Calibration:
    """A map of probabilities: ``logit(p) -> slope * logit(p) + intercept``, slope above 0."""

    slope: float = 1.0
    intercept: float = 0.0

    def apply(self, p: Floats) -> Floats:
        """Return the calibrated probabilities, in the order of `p`.

        Examples
        --------
        >>> Calibration(slope=0.5, intercept=0.0).apply(np.array([0.1, 0.5, 0.9])).round(2)
        array([0.25, 0.5 , 0.75])
        """
        result: Floats = expit(self.slope * _logit(p) + self.intercept)
        return result


@dataclass(frozen=True, eq=False)
class Isotonic:
    """A map of probabilities: straight lines between points that rise in both coordinates.

    Attributes
    ----------
    p, value
        ``float64[b]``, strictly rising from 0 to 1.
    """

    p: Floats
    value: Floats

    def apply(self, p: Floats) -> Floats:
        """Return the calibrated probabilities, in the order of `p`; different ones stay different.

        Examples
        --------
        >>> steep = Isotonic(np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.8, 1.0]))
        >>> steep.apply(np.array([0.25, 0.5, 0.75]))
        array([0.4, 0.8, 0.9])
        """
        result: Floats = np.interp(np.asarray(p, np.float64), self.p, self.value)
        return result


Map: TypeAlias = Calibration | Isotonic


def fit_calibration(p: Floats, correct: Verdicts, weight: Floats | None = None) -> Map:
    """Fit a map of probabilities: `fit_isotonic` from `MIN_ISOTONIC` judgements on, else Platt's.

    Parameters
    ----------
    p
        ``float64[m]`` in [0, 1]: predictions for candidates that the predictor did not learn from.
    correct
        ``bool[m]``, or ``float64[m]`` in {0, 1}.
    weight
        ``float64[m]``, positive; by default all equal.
    """
    fit = fit_isotonic if len(p) >= MIN_ISOTONIC else fit_platt
    return fit(p, correct, weight)


def fit_isotonic(p: Floats, correct: Verdicts, weight: Floats | None = None) -> Isotonic:
    """Fit a rising map of any shape (Zadrozny & Elkan 2002) that keeps the order within its steps.

    The map goes in straight lines from the centre of one step to that of the next (Oron & Flournoy
    2017, "Centered isotonic regression"), and to (0, 0) and (1, 1). Arguments are those of
    `fit_calibration`.
    """
    x = np.clip(np.asarray(p, np.float64), _EDGE, 1 - _EDGE)
    w = np.ones(len(x)) if weight is None else weight
    value, step = np.unique(
        IsotonicRegression().fit_transform(x, correct, sample_weight=w), return_inverse=True
    )
    center = np.bincount(step, w * x) / np.bincount(step, w)
    inside = _FLOOR + (1 - 2 * _FLOOR) * value
    return Isotonic(np.concatenate([[0], center, [1]]), np.concatenate([[0], inside, [1]]))


def fit_platt(p: Floats, correct: Verdicts, weight: Floats | None = None) -> Calibration:
    """Fit slope and intercept on judged candidates (Platt 1999).

    The slope is ``exp(t)``, above 0, so the order is kept. ``t`` and the intercept have normal
    priors around 0, so with few judgements the map is close to the identity. Arguments are those
    of `fit_calibration`; weights are scaled to mean 1.
    """
    if len(p) == 0:
        return Calibration()
    x = _logit(p)
    w = np.ones(len(p)) if weight is None else weight / weight.mean()

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slope = np.exp(parameters[0])
        z = slope * x + parameters[1]
        error = w * (expit(z) - correct)
        value = w @ (np.logaddexp(0, z) - correct * z)
        gradient = np.array([slope * (error @ x), error.sum()])
        prior = PRIOR_JUDGEMENTS * parameters
        return float(value + parameters @ prior / 2), gradient + prior

    bounds = [(-3.0, 3.0), (-10.0, 10.0)]
    best = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Calibration(float(np.exp(best[0])), float(best[1]))


def shifted(fitted: Map, shift: float) -> Map:
    """Return a map with `shift` added to the logit of what it gives.

    Examples
    --------
    >>> shifted(Calibration(), 1.0)
    Calibration(slope=1.0, intercept=1.0)
    """
    if isinstance(fitted, Calibration):
        return replace(fitted, intercept=fitted.intercept + shift)
    moved = fitted.value.copy()
    moved[1:-1] = expit(_logit(moved[1:-1]) + shift)  # 0 and 1 stay
    return replace(fitted, value=moved)


def _logit(p: Floats) -> Floats:
    result: Floats = exact_logit(np.clip(np.asarray(p, np.float64), _EDGE, 1 - _EDGE))
    return result
