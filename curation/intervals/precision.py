"""The precision of a set of kept candidates, from the audits that fell into it.

Scores are cross-fitted (`curation.scoring.scoring.score`): the verdict of a pair has no influence
on whether the pair is kept, so the estimate is not biased.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv, stdtrit

from curation.intervals.error_rates import NO_ERRORS, ErrorRates
from labeling.keys.arrays import Floats, Ints, Mask

UNKNOWN_SIZE = 2**40
"""Candidates assumed in a set of unknown size: so many that no correction is made."""

MIN_VARIANCE = 1e-10
"""Of an estimate for a set whose candidates have all been judged."""

MIN_OF_STRATUM = 5
"""A stratum with fewer audits among the kept is merged with the one below."""


@dataclass(frozen=True)
class Interval:
    """An estimated share with its two-sided confidence interval.

    Without audits the estimate is NaN and the interval [0, 1].

    Attributes
    ----------
    estimate, low, high
        The share and its bounds, in [0, 1].
    n_audits, n_effective
        Audits in the set, and the size of a simple random sample with the same variance.
    confidence
        Of the two-sided interval.
    """

    estimate: float
    low: float
    high: float
    n_audits: int
    n_effective: float
    confidence: float = 0.95


@dataclass(frozen=True, eq=False)
class Estimates:
    """The precision of each of `t` sets of candidates.

    Attributes
    ----------
    precision
        ``float64[t]``; NaN without an audit.
    n_audits, n_effective
        ``int64[t]``, ``float64[t]``: audits in the set, and the size of a simple random sample
        with the same variance.
    n_groups
        ``int64[t]``: merged strata that the estimate is made of.
    errors
        How often auditors err; the precision is the share that they called right.
    """

    precision: Floats
    n_audits: Ints
    n_effective: Floats
    n_groups: Ints
    errors: ErrorRates = NO_ERRORS

    def interval(self, confidence: float) -> tuple[Floats, Floats]:
        """Return the bounds of each two-sided interval, ``float64[t]`` and ``float64[t]``."""
        left = 1 - 2 * self.errors.spent
        return self.errors.widened(*self.called_right(1 - (1 - confidence) * left))

    def called_right(self, confidence: float) -> tuple[Floats, Floats]:
        """Return the bounds of the share that auditors would call right."""
        n = self._adjusted((1 - confidence) / 2)
        right = np.nan_to_num(self.precision) * n
        return clopper_pearson(right, n, confidence)

    def p_values(self, target: float, level: float) -> Floats:
        """Return the p-value of "the precision is at most `target`" for each set, ``float64[t]``.

        The exact binomial test on the effective number of audits, of the share that may at most be
        called right at that precision. `level` is the smallest level
        that the p-value will be compared with; Student's correction is made for it.
        """
        n = self._adjusted(level)
        right = np.nan_to_num(self.precision) * n
        some = right > 0
        p_value = np.ones(len(n))
        p_value[some] = betainc(
            right[some], (n - right)[some] + 1, self.errors.called_right(target)
        )
        return p_value

    def _adjusted(self, tail: float) -> Floats:
        """Return the effective numbers, corrected for degrees of freedom (Korn & Graubard 1998)."""
        n, n_groups = self.n_audits, self.n_groups
        enough = n > np.maximum(n_groups, 1)
        free = np.where(enough, n - n_groups, 1)
        ratio = stdtrit(np.where(enough, n - 1, 1), tail) / stdtrit(free, tail)
        adjusted: Floats = self.n_effective * np.where(enough, ratio**2, 1.0)
        return adjusted


def precision_interval(
    correct: Mask,
    p_inclusion: Floats,
    *,
    stratum: Ints | None = None,
    n_kept: Ints | None = None,
    unknown: Mask | None = None,
    errors: ErrorRates = NO_ERRORS,
    confidence: float = 0.95,
) -> Interval:
    """Estimate the share of right ones among the kept candidates.

    Without strata the estimate is the mean verdict weighted by ``1 / p_inclusion`` (Hájek 1971).
    With them it is post-stratified: each stratum's mean counts by the known number of kept
    candidates in it. A stratum with fewer than `MIN_OF_STRATUM` audits is merged with the one
    below it, where precision tends to be lower; the lowest with the one above.

    The interval is Clopper and Pearson's on an effective number of audits (Korn & Graubard 1998),
    with their adjustment for degrees of freedom. The effective number follows from the variance.
    That of a stratum is the larger of two: the linearised one, and that of a binomial with half a
    verdict of each kind added (Jeffreys' prior) on Kish's ``(Σw)² / Σw²`` audits, which is above 0
    if all verdicts agree. With strata it has a finite-population correction. The interval holds for
    one set chosen in advance, not for the best of many.

    Pairs that were asked and not answered are counted as wrong for the lower bound and as right for
    the upper one, because people do not leave pairs out at random: the bounds hold whatever their
    verdicts would be (Horowitz & Manski 1995), nearly so where the effective number of audits
    depends on the verdicts. The estimate is of the others, whose interval is never wider.

    If auditors err, the interval is that of the share called right, with both bounds moved to the
    worst case (see `curation.intervals.error_rates`), and there is no finite-population correction:
    a second auditor might judge otherwise. The estimate stays the share called right, which lies
    between the worst cases: a correction would need to know in which direction auditors err.

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
    unknown
        ``bool[m]``: whether the verdict is not known; None if all are.
    errors
        How often auditors err; by default verdicts are taken as the truth.
    confidence
        Of the two-sided interval, in (0, 1).

    Examples
    --------
    >>> interval = precision_interval(np.array([True] * 90 + [False] * 10), np.full(100, 0.01))
    >>> f"{interval.estimate:.3f} [{interval.low:.3f}, {interval.high:.3f}]"
    '0.900 [0.824, 0.951]'
    """
    if stratum is None or n_kept is None:
        stratum, n_kept = np.zeros(len(correct), np.int64), np.array([UNKNOWN_SIZE])

    def interval(correct: Mask, of: slice | Mask = slice(None)) -> Interval:
        columns = (correct[of], p_inclusion[of], stratum[of])
        return _interval(*columns, n_kept, errors, confidence)

    if unknown is None:
        return interval(correct)
    answered = interval(correct, ~unknown)
    worst, best = interval(correct & ~unknown), interval(correct | unknown)
    return replace(answered, low=min(answered.low, worst.low), high=max(answered.high, best.high))


def _interval(
    correct: Mask,
    p_inclusion: Floats,
    stratum: Ints,
    n_kept: Ints,
    errors: ErrorRates,
    confidence: float,
) -> Interval:
    first_set = np.zeros(len(correct), np.int64)
    sums = audit_sums(correct, p_inclusion, first_set, stratum, (1, len(n_kept)))
    estimates = estimate(sums, n_kept[None], errors)
    (low,), (high,) = estimates.interval(confidence)
    return Interval(
        float(estimates.precision[0]),
        float(low),
        float(high),
        int(estimates.n_audits[0]),
        float(estimates.n_effective[0]),
        confidence,
    )


@dataclass(frozen=True, eq=False)
class Intervals:
    """`Interval` of each of `t` sets of candidates: ``float64[t]``, and ``int64[t]`` audits."""

    estimate: Floats
    low: Floats
    high: Floats
    n_audits: Ints


def precision_intervals(
    correct: Mask,
    p_inclusion: Floats,
    inside: Mask,
    *,
    stratum: Ints,
    n_kept: Ints,
    unknown: Mask | None = None,
    errors: ErrorRates = NO_ERRORS,
    confidence: float = 0.95,
) -> Intervals:
    """Return `precision_interval` of many sets at once.

    Parameters
    ----------
    correct, p_inclusion, stratum, unknown, errors, confidence
        As for `precision_interval`, of all audits.
    inside
        ``bool[t, m]``: audits of each set.
    n_kept
        ``int[t, n_strata]``: candidates of each set in each stratum.

    Examples
    --------
    >>> inside, audits = np.array([[1, 1], [1, 0]], bool), np.zeros(2, np.int64)
    >>> options = {"stratum": audits, "n_kept": np.array([[9], [5]])}
    >>> precision_intervals(audits == 0, np.full(2, 0.1), inside, **options).estimate.tolist()
    [1.0, 1.0]
    """

    def interval(correct: Mask, of: slice | Mask = slice(None)) -> Intervals:
        columns = (correct[of], p_inclusion[of], inside[:, of], stratum[of])
        estimates = estimate(sums_of_sets(*columns, n_kept.shape[1]), n_kept, errors)
        bounds = estimates.interval(confidence)
        return Intervals(estimates.precision, *bounds, estimates.n_audits)

    if unknown is None:
        return interval(correct)
    answered = interval(correct, ~unknown)
    worst, best = interval(correct & ~unknown), interval(correct | unknown)
    low, high = np.minimum(answered.low, worst.low), np.maximum(answered.high, best.high)
    return replace(answered, low=low, high=high)


def clopper_pearson(
    n_right: npt.ArrayLike, n: npt.ArrayLike, confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Return the exact two-sided interval of a binomial share (Clopper & Pearson 1934).

    The counts may be fractions, as effective counts are, and arrays.

    Examples
    --------
    >>> [round(float(bound), 4) for bound in clopper_pearson(9, 10)]
    [0.555, 0.9975]
    >>> [float(bound) for bound in clopper_pearson(0, 0)]
    [0.0, 1.0]
    """
    right, tail = np.asarray(n_right, np.float64), (1 - confidence) / 2
    wrong = np.maximum(np.asarray(n, np.float64) - right, 0)
    low = np.where(right > 0, betaincinv(np.where(right > 0, right, 1), wrong + 1, tail), 0.0)
    high = np.where(wrong > 0, betaincinv(right + 1, np.where(wrong > 0, wrong, 1), 1 - tail), 1.0)
    return low, high


def audit_sums(
    correct: Mask,
    p_inclusion: Floats,
    first_set: Ints,
    stratum: Ints,
    shape: tuple[int, int],
) -> Floats:
    """Return the sums over audits that `estimate` needs.

    Parameters
    ----------
    correct, p_inclusion, stratum
        ``[m]`` each, of the audits.
    first_set
        ``int64[m]``: the first of the nested sets that contains the audit.
    shape
        Number of nested sets and of strata.

    Returns
    -------
    float64[n_sets, n_strata, 6]
        For each set and stratum: audits, weight, weight of the right ones, squared weight, squared
        weight of the right ones, and squared weight times inclusion probability.
    """
    each = _summands(correct, p_inclusion)
    sums = np.zeros((*shape, each.shape[1]))
    np.add.at(sums, (first_set, stratum), each)
    cumulative: Floats = np.cumsum(sums, axis=0)
    return cumulative


def sums_of_sets(
    correct: Mask, p_inclusion: Floats, inside: Mask, stratum: Ints, n_strata: int
) -> Floats:
    """Return the sums of `audit_sums` for sets that need not be nested.

    Parameters
    ----------
    inside
        ``bool[n_sets, m]``: audits of each set.
    """
    each = _summands(correct, p_inclusion)
    sums = [inside[:, stratum == i] @ each[stratum == i] for i in range(n_strata)]
    return np.stack(sums, axis=1)


def _summands(correct: Mask, p_inclusion: Floats) -> Floats:
    weight = 1 / np.asarray(p_inclusion, np.float64)
    weight = weight / weight.max(initial=1e-300)
    right = np.asarray(correct, np.float64)
    square = weight**2
    columns = [np.ones(len(weight)), weight, weight * right]
    columns += [square, square * right, square * p_inclusion]
    return np.stack(columns, axis=1)


def estimate(sums: Floats, n_kept: Ints, errors: ErrorRates = NO_ERRORS) -> Estimates:
    """Estimate the precision of each set, with the method of `precision_interval`.

    Parameters
    ----------
    sums
        ``float64[t, n_strata, 6]`` of `audit_sums`.
    n_kept
        ``int[t, n_strata]``: candidates of each set in each stratum.
    errors
        How often auditors err.
    """
    group = _merge(sums[:, :, 0], n_kept)
    cell = (np.arange(len(sums))[:, None], group)
    merged, size = np.zeros_like(sums), np.zeros(n_kept.shape)
    np.add.at(merged, cell, sums)
    np.add.at(size, cell, n_kept)
    n, weight, weight_right, square, square_right, square_drawn = np.moveaxis(merged, 2, 0)
    n_audits = np.rint(n.sum(axis=1)).astype(np.int64)
    share = size / np.maximum(size.sum(axis=1, keepdims=True), 1)
    some = np.where(weight > 0, weight, 1)
    mean, kish = weight_right / some, weight**2 / np.where(square > 0, square, 1)
    # Rounded, so that verdicts that all agree give exactly 0 or 1.
    precision = np.round((share * mean).sum(axis=1), 12)
    spread = square_right * (1 - mean) ** 2 + (square - square_right) * mean**2
    linear = spread / some**2 * n / np.maximum(n - 1, 1)
    likely = (mean * kish + 0.5) / (kish + 1)
    binomial = likely * (1 - likely) / np.maximum(kish, 1)
    drawn = np.minimum(n / np.maximum(size, 1), square_drawn / np.where(square > 0, square, 1))
    if errors.is_any:  # the verdict of a pair is a draw too, even if all pairs are judged
        drawn = np.zeros_like(drawn)
    variance = (share**2 * (1 - drawn) * np.maximum(linear, binomial)).sum(axis=1)
    expected = (share * likely).sum(axis=1)
    n_effective = expected * (1 - expected) / np.maximum(variance, MIN_VARIANCE)
    precision = np.where(n_audits > 0, precision, np.nan)
    n_effective = np.where(n_audits > 0, n_effective, 0.0)
    return Estimates(precision, n_audits, n_effective, group.max(axis=1) + 1, errors)


def _merge(n_audits: Floats, n_kept: Ints) -> Ints:
    """Return the group of each stratum, so that each group has `MIN_OF_STRATUM` audits.

    Strata are added from the highest down until a group is full; those left at the bottom join the
    lowest full group. A stratum without kept candidates has no weight in its group.
    """
    group = np.zeros(n_kept.shape, np.int64)
    current, n_in_group = np.zeros(len(n_kept), np.int64), np.zeros(len(n_kept))
    for i in range(n_kept.shape[1] - 1, -1, -1):
        group[:, i] = current
        n_in_group += n_audits[:, i]
        full = n_in_group >= MIN_OF_STRATUM
        current, n_in_group = current + full, np.where(full, 0, n_in_group)
    merged: Ints = np.minimum(group, np.maximum(current, 1)[:, None] - 1)
    return merged
