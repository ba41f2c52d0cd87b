"""The precision of a set of kept candidates, from the audits that fell into it.

The audits must not have chosen their own pairs' fate: scores are cross-fitted
(`curation.scoring.score`), so a pair is kept or dropped without its own verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import betaincinv, stdtrit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MIN_OF_STRATUM = 5
"""A stratum with fewer audits among the kept is united with the one below."""

N_CUTS = 100
"""Rows of the threshold table, at most."""


THRESHOLDS = pa.schema(
    [
        pa.field("threshold", pa.float64(), nullable=False),
        pa.field("n_kept", pa.int64(), nullable=False),
        pa.field("share", pa.float64(), nullable=False),
        pa.field("precision", pa.float64()),
        pa.field("low", pa.float64(), nullable=False),
        pa.field("high", pa.float64(), nullable=False),
        pa.field("n_audits", pa.int64(), nullable=False),
    ]
)
"""Columns of the threshold table."""


@dataclass(frozen=True)
class Interval:
    """An estimated share with its two-sided confidence interval.

    Without any audit nothing is known: the estimate is NaN, the interval [0, 1].
    """

    estimate: float
    low: float
    high: float
    n_audits: int
    n_effective: float
    confidence: float = 0.95


def precision_interval(
    correct: npt.NDArray[np.bool_],
    p_inclusion: Floats,
    *,
    stratum: Ints | None = None,
    n_kept: Ints | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Estimate the share of right ones among the kept candidates.

    Without strata the estimate is the mean verdict weighted by ``1 / p_inclusion`` (Hájek 1971).
    With them it is post-stratified: each stratum's mean counts by the known number of kept
    candidates in it. A stratum with fewer than `MIN_OF_STRATUM` audits is united with the one
    below it, where precision tends to be lower; the lowest with the one above.

    The interval is Clopper and Pearson's on an effective number of audits (Korn & Graubard 1998),
    with their adjustment for degrees of freedom. The effective number is the smallest of three:
    the audits', the one that the estimated variance implies, and Kish's ``(Σw)² / Σw²``, which
    stays honest where all verdicts agree and the variance is estimated as 0. No finite-population
    correction is made. Holds for one set chosen in advance, not for the best of many.

    Parameters
    ----------
    correct
        ``bool[m]``: verdicts of the audited pairs that were kept.
    p_inclusion
        ``float64[m]`` in (0, 1]: their inclusion probabilities.
    stratum
        ``int[m]``: stratum of each, numbered from the lowest scores to the highest.
    n_kept
        ``int[n_strata]``: kept candidates in each stratum, audited or not; with `stratum`.
    confidence
        Of the two-sided interval, in (0, 1).

    Examples
    --------
    >>> interval = precision_interval(np.array([True] * 90 + [False] * 10), np.full(100, 0.01))
    >>> f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
    '0.900 [0.823, 0.951]'
    """
    if len(correct) == 0:
        return Interval(float("nan"), 0.0, 1.0, 0, 0.0, confidence)
    group, share = np.zeros(len(correct), np.int64), np.ones(1)
    if stratum is not None and n_kept is not None:
        united = _unite(np.bincount(stratum, minlength=len(n_kept)), n_kept)
        group, share = united[stratum], np.bincount(united, n_kept) / n_kept.sum()
    weight = 1 / p_inclusion
    weight *= share[group] / np.bincount(group, weight)[group]
    # Rounded, so that verdicts that all agree give exactly 0 or 1.
    estimate = round(float(weight @ correct), 12)
    n_effective = _effective_number(correct, weight, group, estimate)
    adjusted = n_effective * _t_ratio(len(correct), len(share), confidence)
    low, high = clopper_pearson(estimate * adjusted, adjusted, confidence)
    return Interval(estimate, low, high, len(correct), n_effective, confidence)


def clopper_pearson(n_right: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a binomial share (Clopper & Pearson 1934).

    The counts may be fractions, as effective counts are.

    Examples
    --------
    >>> [round(bound, 4) for bound in clopper_pearson(9, 10)]
    [0.555, 0.9975]
    >>> clopper_pearson(0, 0)
    (0.0, 1.0)
    """
    tail, n_wrong = (1 - confidence) / 2, n - n_right
    low = betaincinv(n_right, n_wrong + 1, tail) if n_right > 0 else 0.0
    high = betaincinv(n_right + 1, n_wrong, 1 - tail) if n_wrong > 0 else 1.0
    return float(low), float(high)


def threshold_table(
    p_correct: npt.NDArray[np.floating],
    audited: Ints,
    correct: npt.NDArray[np.bool_],
    p_inclusion: Floats,
    *,
    stratum: npt.NDArray[np.integer] | None = None,
    confidence: float = 0.95,
) -> pa.Table:
    """Return what is kept, and how precise it is, for up to `N_CUTS` thresholds.

    The thresholds are those that keep 1 %, 2 %, … 100 % of the candidates; equal probabilities are
    kept or dropped together, so a row may keep a little more. Each interval holds by itself, not
    all at once.

    Parameters
    ----------
    p_correct
        ``float[n]``: probability of each candidate.
    audited
        ``int64[m]``: rows of the audited candidates.
    correct, p_inclusion
        ``bool[m]``, ``float64[m]``: their verdicts and inclusion probabilities.
    stratum
        ``int[n]``: stratum of each candidate, to post-stratify by.
    confidence
        Of each interval.

    Returns
    -------
    pa.Table
        Columns threshold, n_kept, share, precision (null without an audit inside), low, high,
        n_audits; from the highest threshold to the lowest.
    """
    n, ranked = len(p_correct), -np.sort(-p_correct)
    n_wanted = np.unique(np.ceil(np.arange(1, N_CUTS + 1) * n / N_CUTS).astype(np.int64))
    thresholds = np.unique(ranked[n_wanted[n_wanted > 0] - 1])[::-1]
    rows = []
    for threshold in thresholds:
        kept = p_correct >= threshold
        inside = kept[audited]
        interval = precision_interval(
            correct[inside],
            p_inclusion[inside],
            stratum=None if stratum is None else stratum[audited][inside].astype(np.int64),
            n_kept=None if stratum is None else np.bincount(stratum[kept]),
            confidence=confidence,
        )
        rows.append(_row(float(threshold), int(kept.sum()), n, interval))
    return pa.Table.from_pylist(rows, schema=THRESHOLDS)


def _row(threshold: float, n_kept: int, n: int, interval: Interval) -> dict[str, object]:
    return {
        "threshold": threshold,
        "n_kept": n_kept,
        "share": n_kept / n,
        "precision": interval.estimate if interval.n_audits else None,
        "low": interval.low,
        "high": interval.high,
        "n_audits": interval.n_audits,
    }


def _unite(n_audits: Ints, n_kept: Ints) -> Ints:
    """Return the group of each stratum, so that each group has audits enough.

    Strata are gathered from the highest down until a group is full; what is left at the bottom
    joins the lowest full group. A stratum without kept candidates counts for nothing in any group.
    """
    group = np.zeros(len(n_kept), np.int64)
    current, gathered = 0, 0
    for i in range(len(n_kept) - 1, -1, -1):
        group[i] = current
        gathered += int(n_audits[i])
        if gathered >= MIN_OF_STRATUM:
            current, gathered = current + 1, 0
    n_groups = max(current, 1)
    return np.minimum(group, n_groups - 1)


def _effective_number(
    correct: npt.NDArray[np.bool_], weight: Floats, group: Ints, estimate: float
) -> float:
    """Return the audits of a simple random sample that would say as much as these."""
    n, total = np.bincount(group), np.bincount(group, weight)
    mean = np.bincount(group, weight * correct) / total
    spread = np.bincount(group, (weight * (correct - mean[group])) ** 2)
    variance = float(np.sum(spread * n / np.maximum(n - 1, 1)))
    implied = estimate * (1 - estimate) / variance if variance > 0 else np.inf
    return min(float(len(correct)), 1 / float(np.sum(weight**2)), implied)


def _t_ratio(n_audits: int, n_groups: int, confidence: float) -> float:
    """Return the squared ratio of Student's quantiles without and with strata."""
    if n_audits <= n_groups:
        return 1.0
    tail = (1 - confidence) / 2
    return float((stdtrit(n_audits - 1, tail) / stdtrit(n_audits - n_groups, tail)) ** 2)
