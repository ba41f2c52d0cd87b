"""Capture-recapture: a lower bound of the right pairs that all sources miss.

Groups of sources are the occasions at which a right pair is caught. The number of missed pairs is
estimated from audits of the pairs that one group or two groups name. If groups catch independently
of each other, this is an estimate. If some pairs are easier to name than others, or groups follow
each other, it is too low: a lower bound of the missed pairs, and so an upper bound of the recall of
the pool. If groups avoid each other, it is too high. There is no bound from the other side without
an assumption on how the groups depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from curation.agreement.label_model import Patterns, fit_label_model
from labeling.keys.arrays import Floats, Ints, Mask


@dataclass(frozen=True)
class Missed:
    """Right pairs in a pool, and those that it misses.

    Attributes
    ----------
    n_right
        Right pairs in the pool, estimated from audits.
    n_missed
        Right pairs of its images that it misses, if groups are independent.
    n_missed_low
        One-sided lower confidence bound of that number, unless groups avoid each other.
    recall_at_most
        Upper bound of the share of the right pairs that is in the pool, in (0, 1].
    """

    n_right: float
    n_missed: float
    n_missed_low: float
    recall_at_most: float


def occasions(patterns: Patterns) -> Mask:
    """Return the groups of sources that catch pairs.

    Sources that err together (`curation.agreement.label_model.fit_label_model`) are one group. A
    source without which no candidate would be lost is in no group: it follows others, or may not
    open candidates. Sources with few votes are tried first.

    Parameters
    ----------
    patterns
        Of all candidates.

    Returns
    -------
    bool[n_groups, n_sources]
        Members of each group.

    Examples
    --------
    >>> voted = np.array([[True, False, False], [False, True, False], [True, False, True]])
    >>> occasions(Patterns(voted, ~voted, np.array([5.0, 3.0, 2.0]))).astype(int)
    array([[1, 0, 0],
           [0, 1, 0]])
    """
    opens = np.ones(patterns.voted.shape[1], bool)
    for source in np.argsort(patterns.count @ patterns.voted, kind="stable"):
        opens[source] = False
        opens[source] = not patterns.voted[:, opens].any(axis=1).all()
    member = np.zeros((len(opens), len(opens)), bool)
    for number, group in enumerate(fit_label_model(patterns).groups):
        member[number, list(group)] = opens[list(group)]
    return member[member.any(axis=1)]


def count_missed(
    caught: Mask,
    covered: Mask,
    correct: Mask,
    p_inclusion: Floats,
    stratum: Ints,
    n_candidates: int,
    confidence: float = 0.95,
) -> Missed | None:
    """Estimate the number of right pairs that no group names.

    The odds that group `j` names a right pair are estimated from the pairs that one other group
    names, among those that both cover: ``o_j`` is the number that `j` and one other group name,
    divided by the number that one other group alone names. A right pair that one group names then
    represents ``1 / Σ o_j`` missed ones, with the sum over the groups that cover its image. For two
    groups this is Chapman's estimate (1951). If all groups cover all images, it is close to that of
    Chao for unlike occasions (1989, "Estimating population size for sparse data in
    capture-recapture experiments", Biometrics 45), which for alike ones is the bound
    ``f1² / 2 f2`` of Chao (1987) with a correction for finite occasions. That bound itself is too
    large if groups are unlike.

    Images that one group alone covers count as without missed pairs. The variance is linearised:
    that of a sample drawn within strata, and that of the pool, whose right pairs were caught by
    chance. One audit is added to those that two groups name, so that a count of 0 proves nothing.
    The interval is that of the logarithm (Chao 1987).

    Parameters
    ----------
    caught, covered
        ``bool[m, n_groups]`` of the audited candidates: the group names the label; it covers the
        image. A group covers the images of the pairs that it catches.
    correct, p_inclusion, stratum
        ``bool[m]``, ``float64[m]`` in (0, 1], ``int64[m]``: verdict, inclusion probability and
        stratum of each.
    n_candidates
        Candidates of the pool, audited or not.
    confidence
        Of the one-sided interval, in (0, 1).

    Returns
    -------
    Missed or None
        None unless two groups have a right pair each that no other group names although another
        group covers its image.

    Examples
    --------
    Of 100 right pairs the groups name 60 and 50, both of them 30:

    >>> caught = np.array([[1, 1]] * 30 + [[1, 0]] * 30 + [[0, 1]] * 20, bool)
    >>> right, p_inclusion = np.ones(80, bool), np.ones(80)
    >>> stratum = np.zeros(80, np.int64)
    >>> missed = count_missed(caught, caught | True, right, p_inclusion, stratum, 80)
    >>> [round(n, 2) for n in (missed.n_missed, missed.n_missed_low, missed.recall_at_most)]
    [19.35, 10.15, 0.89]
    """
    n_caught, shared = caught.sum(axis=1), covered.sum(axis=1) > 1
    by_one, by_two = (correct & shared & (n_caught == n) for n in (1, 2))
    if caught[by_one].any(axis=0).sum() < 2:
        return None
    weight = n_candidates / p_inclusion / np.sum(1 / p_inclusion)
    right = weight * correct
    n_right, spare = float(right.sum()), float(right.sum() / correct.sum())
    missed_each, change, of_spare = _missed_each(right, by_one, by_two, caught, covered, spare)
    n_missed = float(right @ missed_each)

    def low(added: Floats) -> float:
        of_audits = _variance(weight * added, 1 - p_inclusion, stratum) + of_spare**2
        of_pool = float(weight @ added**2) + n_missed
        error = np.sqrt(of_audits + of_pool) / n_missed
        return n_missed * float(np.exp(-ndtri(confidence) * error))

    return Missed(
        n_right=n_right,
        n_missed=n_missed,
        n_missed_low=low(correct * change - n_missed / n_candidates),
        recall_at_most=n_right / (n_right + low(correct * (change - n_missed / n_right))),
    )


def _missed_each(
    right: Floats, by_one: Mask, by_two: Mask, caught: Mask, covered: Mask, spare: float
) -> tuple[Floats, Floats, float]:
    """Return the missed pairs that each audit represents, and derivatives of their sum.

    The derivatives are by each audit's weight, ``float64[m]``, and by that of the added audit,
    times its weight `spare`.
    """
    silent, share = covered & ~caught, 2 * spare / caught.shape[1]
    alone = np.maximum(right[by_one] @ silent[by_one], spare * 1e-9)
    odds = (right[by_two] @ caught[by_two] + share) / alone
    missed = np.where(by_one, 1 / np.maximum(covered @ odds, 1e-300), 0)
    by_odds = -(right * missed**2) @ covered / alone
    change = missed + by_two * (caught @ by_odds) - by_one * (silent @ (by_odds * odds))
    return missed, change, float(share * by_odds.sum())


def _variance(part: Floats, unseen: Floats, stratum: Ints) -> float:
    """Return the variance of a sum over audits drawn within strata; `unseen` is 1 - p_inclusion."""
    n = np.bincount(stratum)
    mean = np.bincount(stratum, part) / np.maximum(n, 1)
    squares = np.bincount(stratum, unseen * (part - mean[stratum]) ** 2)
    return float((squares * n / np.maximum(n - 1, 1)).sum())
