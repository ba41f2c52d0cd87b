"""How many right pairs the sources miss at least, from how often they name the same ones.

Groups of sources are the occasions at which a right pair is caught. The pairs that one group or two
groups name, counted by audits, tell of those that none names. Where groups catch independently of
each other this is an estimate. Where some pairs are easier to name than others, or groups follow
each other, fewer seem to be missed than are: then it is a lower bound of what is missed, so the
recall of the pool is *at most* what follows from it. Groups that avoid each other turn it round.
No bound from the other side can be had without assuming how the groups depend on each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from curation.agreement.label_model import Patterns, fit_label_model
from labeling.keys.arrays import Floats, Ints, Mask


@dataclass(frozen=True)
class Missed:
    """Right pairs of a pool, and those that it misses.

    Attributes
    ----------
    n_right
        Right pairs in the pool, as audits estimate.
    n_missed
        Right pairs of its images that it misses, were groups independent.
    n_missed_low
        At least so many, unless groups avoid each other: a one-sided confidence bound.
    recall_at_most
        The same for the share of the right pairs that is in the pool, in (0, 1].
    """

    n_right: float
    n_missed: float
    n_missed_low: float
    recall_at_most: float


def occasions(patterns: Patterns) -> Mask:
    """Return the groups of sources that catch pairs.

    Sources that err together (`curation.agreement.label_model.fit_label_model`) are one group. A
    source without which no candidate would be lost, the ones that say least first, takes part in
    none: it follows others, or may not open candidates.

    Parameters
    ----------
    patterns
        Of all candidates.

    Returns
    -------
    bool[n_groups, n_sources]
        Which sources are in each group.

    Examples
    --------
    >>> spoke = np.array([[True, False, False], [False, True, False], [True, False, True]])
    >>> occasions(Patterns(spoke, ~spoke, np.array([5.0, 3.0, 2.0]))).astype(int)
    array([[1, 0, 0],
           [0, 1, 0]])
    """
    opens = np.ones(patterns.spoke.shape[1], bool)
    for source in np.argsort(patterns.count @ patterns.spoke, kind="stable"):
        opens[source] = False
        opens[source] = not patterns.spoke[:, opens].any(axis=1).all()
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
    """Estimate how many right pairs no group names.

    The odds that a group names a right pair are taken from the pairs that one other group names,
    among those that both cover: ``o_j`` is the number that `j` and one other name, by the number
    that one other alone names. A right pair that one group names then stands for ``1 / Σ o_j``
    missed ones, summed over the groups that cover its image. For two groups this is Chapman's
    estimate (1951); where all cover all images, nearly the one of Chao for unlike occasions (1989,
    "Estimating population size for sparse data in capture-recapture experiments", Biometrics 45),
    which for alike ones is the bound ``f1² / 2 f2`` of Chao (1987) less what finite occasions take
    off. That bound itself grows too large where groups are unlike.

    Images that one group alone covers are taken to miss nothing. The variance is linearised: of a
    sample drawn within strata, and of the pool, whose right pairs were caught by chance. One more
    audit is reckoned with among those that two groups name, so that none is no proof. The interval
    is that of the logarithm (Chao 1987).

    Parameters
    ----------
    caught, covered
        ``bool[m, n_groups]`` of the audited candidates: the group names the label; it covers the
        image. What is caught is covered.
    correct, p_inclusion, stratum
        ``bool[m]``, ``float64[m]`` in (0, 1], ``int64[m]``: verdict, probability to be drawn and
        stratum of each.
    n_candidates
        Candidates of the pool, audited or not.
    confidence
        Of the one-sided interval, in (0, 1).

    Returns
    -------
    Missed or None
        None unless two groups have a right pair each that no other group names, though another
        covers its image.

    Examples
    --------
    Of 100 right pairs the groups name 60 and 50, both of them 30:

    >>> caught = np.array([[1, 1]] * 30 + [[1, 0]] * 30 + [[0, 1]] * 20, bool)
    >>> every, one = np.ones(80, bool), np.ones(80)
    >>> found = count_missed(caught, caught | True, every, one, np.zeros(80, np.int64), 80)
    >>> [round(n, 2) for n in (found.n_missed, found.n_missed_low, found.recall_at_most)]
    [19.35, 10.15, 0.89]
    """
    n_caught, shared = caught.sum(axis=1), covered.sum(axis=1) > 1
    one, two = (correct & shared & (n_caught == n) for n in (1, 2))
    if caught[one].any(axis=0).sum() < 2:
        return None
    weight = n_candidates / p_inclusion / np.sum(1 / p_inclusion)
    right = weight * correct
    n_right, spare = float(right.sum()), float(right.sum() / correct.sum())
    stands, change, of_spare = _stand_for(right, one, two, caught, covered, spare)
    n_missed = float(right @ stands)

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


def _stand_for(
    right: Floats, one: Mask, two: Mask, caught: Mask, covered: Mask, spare: float
) -> tuple[Floats, Floats, float]:
    """Return how many missed pairs each audit stands for, and derivatives of their sum.

    Those by each audit's weight, ``float64[m]``, and what the spare audit, of the weight `spare`,
    has changed.
    """
    silent, share = covered & ~caught, 2 * spare / caught.shape[1]
    alone = np.maximum(right[one] @ silent[one], spare * 1e-9)
    odds = (right[two] @ caught[two] + share) / alone
    stands = np.where(one, 1 / np.maximum(covered @ odds, 1e-300), 0)
    by_odds = -(right * stands**2) @ covered / alone
    change = stands + two * (caught @ by_odds) - one * (silent @ (by_odds * odds))
    return stands, change, float(share * by_odds.sum())


def _variance(part: Floats, unseen: Floats, stratum: Ints) -> float:
    """Return the variance of a sum of audits, drawn within strata of which a share is unseen."""
    n = np.bincount(stratum)
    mean = np.bincount(stratum, part) / np.maximum(n, 1)
    squares = np.bincount(stratum, unseen * (part - mean[stratum]) ** 2)
    return float((squares * n / np.maximum(n - 1, 1)).sum())
