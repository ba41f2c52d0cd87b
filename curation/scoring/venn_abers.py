"""Intervals of probabilities that are valid for any scores: Venn-Abers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from curation.intervals.judgements import Verdicts
from labeling.keys.arrays import Floats, Ints


@dataclass(frozen=True, eq=False)
class VennAbers:
    """Two isotonic fits of judged candidates and a new one: once as wrong, once as right.

    Attributes
    ----------
    score
        ``float64[k]``, strictly rising: distinct scores of the judged candidates.
    if_wrong, if_right
        ``float64[k + 1]``: fit at the new candidate, by its position among the scores.
    """

    score: Floats
    if_wrong: Floats
    if_right: Floats

    def apply(self, p: Floats) -> tuple[Floats, Floats]:
        """Return lower and upper probability of each score, ``float64[n]``, both rising in `p`.

        Examples
        --------
        >>> fitted = fit_venn_abers(np.array([0.2, 0.8]), np.array([0.0, 1.0]))
        >>> fitted.apply(np.array([0.1, 0.5, 0.9]))
        (array([0. , 0. , 0.5]), array([0.5, 1. , 1. ]))
        """
        low = self.if_wrong[np.searchsorted(self.score, p, side="right")]
        return low, self.if_right[np.searchsorted(self.score, p, side="left")]


def fit_venn_abers(p: Floats, correct: Verdicts, weight: Floats | None = None) -> VennAbers:
    """Fit on judged candidates (inductive Venn-Abers predictors, Vovk & Petej 2014).

    Both fits are computed for all positions of a new candidate in one pass over the judged ones
    (Vovk, Petej & Fedorova 2015, "Large-scale probabilistic predictors", algorithms 1 to 4).

    Parameters
    ----------
    p
        ``float64[m]``: scores that were not learnt from these judgements; higher is better.
    correct
        ``bool[m]``, or ``float64[m]`` in {0, 1}.
    weight
        ``float64[m]``, positive; the new candidate has their mean. By default all equal.
    """
    w = np.ones(len(p)) if weight is None or not len(p) else weight / weight.mean()
    score, number = np.unique(np.asarray(p, np.float64), return_inverse=True)
    n, right = _sum(number, w, len(score)), _sum(number, w * correct, len(score))
    if_wrong = 1 - _if_right(n[::-1], (n - right)[::-1])[::-1]
    return VennAbers(score, if_wrong, _if_right(n, right))


def _sum(to: Ints, values: Floats, n: int) -> Floats:
    return np.bincount(to, values, n).astype(np.float64)


def _if_right(n: Floats, right: Floats) -> Floats:
    """Return the fit at a new candidate that is right, before each score and after the last.

    The fit is the slope of the lower hull of the sums of `n` and `right`. The new candidate moves
    from left to right through the points; the hull to the right of it is kept, leftmost point last.
    """
    x = np.concatenate([[-1, 0], np.cumsum(n)]).tolist()
    y = np.concatenate([[-1, 0], np.cumsum(right)]).tolist()
    points = list(zip(x, y, strict=True))
    hull: list[tuple[float, float]] = []
    for point in reversed(points):
        _push(hull, point)
    fit = np.ones(len(n) + 1)
    for i in range(len(n)):
        (x0, y0), (x1, y1) = hull[-1], hull[-2]
        fit[i] = (y1 - y0) / (x1 - x0)
        before, at, after = points[i : i + 3]
        points[i + 1] = moved = before[0] + after[0] - at[0], before[1] + after[1] - at[1]
        if _turn(hull[-1], moved, hull[-2]) > 0:
            hull.pop()
            _push(hull, moved)
    return np.clip(fit, 0, 1)


def _push(hull: list[tuple[float, float]], point: tuple[float, float]) -> None:
    """Add a point to the left of a lower hull."""
    while len(hull) > 1 and _turn(point, hull[-1], hull[-2]) <= 0:
        hull.pop()
    hull.append(point)


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    """Return a number above 0 if b lies below the line from a to c, which is right of a."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
