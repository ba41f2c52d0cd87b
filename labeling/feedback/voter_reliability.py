"""Reliability of each user, estimated from the agreement of their votes with those of others.

The one-coin form of Dawid and Skene (1979; Zhang et al. 2016, "Spectral methods meet EM"): a user
is right about every pair with the same probability. It is fitted in rounds: each user is compared
with the votes of the *others* on the same pairs, which are weighted by how right they are. Several
rules keep a hostile few from becoming the majority:

- every user's accuracy is shrunk towards the accuracy of all, to which users contribute with equal
  caps, so that users who meet few others count as any user does;
- a vote that repeats the majority of earlier votes earns nothing: only votes on pairs that earlier
  votes leave undecided count for the accuracy of a user, so copying makes nobody credible;
- users who cast the same votes again and again share one vote (`labeling.feedback.copied_votes`);
- agreement makes a user credible only as far as it is spread over labels, and the votes of users
  *without* credibility on one pair are capped (see `labeling.feedback.debias`);
- a weight is linear in the accuracy (Li and Yu 2014, "Error rate bounds and iterative weighted
  majority voting"), never negative, and at most `MAX_WEIGHT` of a usual user's: an always wrong
  user is left out, not inverted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from labeling.feedback import copied_votes
from labeling.keys.arrays import Floats, Ints, Mask
from labeling.keys.runs import combination_numbers, run_numbers, run_starts

MAX_WEIGHT = 1.5
"""Weight of the best user, if a usual one has 1."""

STEP = 0.25
"""Weights are multiples of this, so that a few hostile votes do not change those of all the others;
weights below half of it are 0."""

SHRINK = 5.0
"""Comparisons of accuracy as of all users that are added to each user's."""

HALF_CREDIBLE = 2.0
"""Comparisons that give a user a credibility of one half."""

MOST_PER_LABEL = 2.0
"""Comparisons of each label that count for the credibility of a user, at most."""

POOLED = 20.0
"""Comparisons of one user that count for the accuracy of all."""

POOLED_PRIOR = (0.75, 10.0)
"""Prior accuracy of all users, and the number of comparisons that it is worth."""

MAX_ACCURACY = 0.95
JUDGED_FROM = (0.7, 0.8)
"""Accuracies of all: below the first users agree too little to judge anybody by, and all weigh the
same; above the second they are judged in full."""

ROUNDS = 20


class Votes(NamedTuple):
    """Votes on pairs, one of each user on each pair, all arrays of the same length.

    Attributes
    ----------
    pair, label, user
        ``int64[n]``: numbers from 0.
    up
        ``bool[n]``: for, or against.
    time
        ``int64[n]``: seconds; votes of the same time are treated as independent of each other.
    weight
        ``float64[n]`` in [0, 1]: weight of the vote after the caps of users and bursts.
    """

    pair: Ints
    label: Ints
    user: Ints
    up: Mask
    time: Ints
    weight: Floats


class Reliability(NamedTuple):
    """Reliability of users and value of votes.

    Attributes
    ----------
    weight
        ``float64[n_users]`` in [0, `MAX_WEIGHT`], a multiple of `STEP`.
    credibility
        ``float64[n_users]`` in [0, 1): how far comparisons support the weight.
    group
        ``int64[n_users]``: see `labeling.feedback.copied_votes`; -1 for users in no group.
    earned
        ``float64[n_votes]``: how much each vote adds to its user's comparisons.
    """

    weight: Floats
    credibility: Floats
    group: Ints
    earned: Floats


def fit(votes: Votes, n_users: int) -> Reliability:
    """Fit the accuracy of each user to their agreement with others.

    Examples
    --------
    Five users agree on thirty pairs, a sixth votes the opposite:

    >>> pair, user = np.divmod(np.arange(180), 6)
    >>> up = (pair % 2 == 0) ^ (user == 5)
    >>> same = np.zeros(180, np.int64)
    >>> fit(Votes(pair, pair, user, up, same, np.ones(180)), 6).weight.tolist()
    [1.25, 1.25, 1.25, 1.25, 1.25, 0.0]
    """
    sign = np.where(votes.up, 1.0, -1.0)
    group = copied_votes.groups(votes.pair, votes.label, votes.user, votes.up, n_users)
    weight = votes.weight * group_shares(votes.pair, votes.up, group[votes.user])
    undecided = _undecided(votes, sign)
    n_pairs = int(votes.pair.max(initial=-1)) + 1
    accuracy = np.full(n_users, POOLED_PRIOR[0])
    for _ in range(ROUNDS):
        clipped = np.clip(accuracy, 0.5, MAX_ACCURACY)
        evidence = np.log(clipped / (1 - clipped))[votes.user] * sign * weight
        others = np.bincount(votes.pair, evidence, n_pairs)[votes.pair] - evidence
        sure = np.tanh(np.abs(others) / 2)
        right = sure * ((np.sign(others) == sign) - (1 - sure) / 2)
        earned = sure**2 * undecided
        unaided = _accuracy(votes, n_users, right * undecided, earned)
        on_all = _accuracy(votes, n_users, right, sure**2)
        accuracy = unaided.of_user
    user_weight = np.minimum(unaided.weight, on_all.weight)
    judged = np.clip((unaided.pooled - JUDGED_FROM[0]) / (JUDGED_FROM[1] - JUDGED_FROM[0]), 0, 1)
    return Reliability(
        np.round((1 + judged * (user_weight - 1)) / STEP) * STEP,
        _credibility(votes, earned, n_users),
        group,
        earned,
    )


class _Accuracy(NamedTuple):
    of_user: Floats
    weight: Floats
    pooled: float


def _accuracy(votes: Votes, n_users: int, right: Floats, seen: Floats) -> _Accuracy:
    """Return the accuracy of users, and the weights that follow from it.

    The moment estimate from comparisons with a reference that is itself right with a known
    probability, shrunk; weights only follow the part that is beyond one standard deviation.
    """
    n_seen, n_right = (np.bincount(votes.user, v, n_users) for v in (seen, right))
    share = votes.weight * np.minimum(1, POOLED / np.maximum(n_seen, 1e-9))[votes.user]
    prior, strength = POOLED_PRIOR
    mean = (share @ right + prior * strength) / (share @ seen + strength)
    pooled = float(np.clip(mean, 0.55, MAX_ACCURACY))
    of_user = (n_right + SHRINK * pooled) / (n_seen + SHRINK)
    difference = of_user - pooled
    beyond = np.abs(difference) - np.sqrt(pooled * (1 - pooled) / (n_seen + SHRINK))
    cautious = pooled + np.sign(difference) * np.maximum(beyond, 0)
    weight = np.clip((2 * cautious - 1) / (2 * pooled - 1), 0, MAX_WEIGHT)
    return _Accuracy(of_user, weight, pooled)


def group_shares(pair: Ints, up: Mask, group: Ints) -> Floats:
    """Return ``float64[n]``: the share of each vote if a group has one vote on each side of a pair.

    `group` is -1 for votes of users in no group.
    """
    share = np.ones(len(pair))
    grouped = np.flatnonzero(group >= 0)
    number = combination_numbers(pair[grouped], up[grouped], group[grouped])
    share[grouped] = 1 / np.bincount(number)[number]
    return share


def _credibility(votes: Votes, earned: Floats, n_users: int) -> Floats:
    n_labels = int(votes.label.max(initial=0)) + 1
    key, number = np.unique(votes.user * n_labels + votes.label, return_inverse=True)
    of_label = np.minimum(np.bincount(number, earned, len(key)), MOST_PER_LABEL)
    spread = np.bincount(key // n_labels, of_label, n_users)
    return spread / (spread + HALF_CREDIBLE)


def _undecided(votes: Votes, sign: Floats) -> Mask:
    """Return the votes that were cast after as many votes for the pair as against it."""
    order = np.lexsort((votes.time, votes.pair))
    pair, time = votes.pair[order], votes.time[order]
    before = np.concatenate([[0.0], np.cumsum(sign[order])])
    start_of_pair, start_of_time = (
        run_starts(*key)[run_numbers(*key)] for key in ((pair,), (pair, time))
    )
    undecided = np.empty(len(sign), bool)
    undecided[order] = before[start_of_time] == before[start_of_pair]
    return undecided
