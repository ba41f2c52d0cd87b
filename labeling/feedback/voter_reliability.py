"""How far the votes of each user are to be believed, told from how they agree with those of others.

The one-coin form of Dawid and Skene (1979; Zhang et al. 2016, "Spectral methods meet EM"): a user
is right about every pair with the same probability. It is fitted in turns: each user is held
against what the *others* say of the same pairs, and their voice counts by how right they are. What
keeps a hostile few from becoming the majority:

- every user's accuracy is shrunk towards that of all, who are pooled with equal caps, so that
  users who meet few others count as any user does;
- a vote that repeats what stood there already earns nothing: only votes on pairs that the earlier
  ones leave undecided count for the accuracy of a user, so copying makes nobody trusted;
- users who say the same things again and again have one voice (`labeling.feedback.copied_votes`);
- agreement is proof of a user only as far as it is spread over labels, and what users *without*
  proof say about one pair is capped (see `labeling.feedback.debias`);
- a weight is linear in the accuracy (Li and Yu 2014, "Error rate bounds and iterative weighted
  majority voting"), never negative, and at most `MAX_WEIGHT` of a usual user's: an always wrong
  user is left out, not inverted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from labeling.feedback import copied_votes
from labeling.keys.arrays import Floats, Ints, Mask
from labeling.keys.runs import run_numbers, run_starts

MAX_WEIGHT = 1.5
"""Weight of the best user, where a usual one has 1."""

STEP = 0.25
"""Weights are multiples of this, so that a few hostile votes do not stir those of all the others;
those of less than half of it are 0."""

SHRINK = 5.0
"""Comparisons that every user is taken to have already, as right as users are on the whole."""

PROOF = 2.0
"""Comparisons that make a user half proven."""

LABEL_PROOF = 2.0
"""Comparisons that count as proof for each label at most."""

POOLED = 20.0
"""Comparisons of one user that count for the accuracy of all."""

POOLED_PRIOR = (0.75, 10.0)
"""Accuracy of all users, and comparisons that it is worth, before any is seen."""

MAX_ACCURACY = 0.95
TRUSTED = (0.7, 0.8)
"""Accuracies of all: below the first users agree too little to judge anybody by, and all weigh
alike; above the second they are judged in full."""

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
        ``int64[n]``: seconds; votes of one time are taken not to know of each other.
    weight
        ``float64[n]`` in [0, 1]: what the caps of users and bursts leave of the vote.
    """

    pair: Ints
    label: Ints
    user: Ints
    up: Mask
    time: Ints
    weight: Floats


class Voters(NamedTuple):
    """What `fit` returns.

    Attributes
    ----------
    weight
        ``float64[n_users]`` in [0, `MAX_WEIGHT`], a multiple of `STEP`.
    proof
        ``float64[n_users]`` in [0, 1): how far comparisons bear the weight out.
    group
        ``int64[n_users]``: see `labeling.feedback.copied_votes`; -1 for users who stand alone.
    earned
        ``float64[n_votes]``: how much each vote adds to its user's comparisons.
    """

    weight: Floats
    proof: Floats
    group: Ints
    earned: Floats


def fit(votes: Votes, n_users: int) -> Voters:
    """Fit the accuracy of each user to their agreement with others.

    Examples
    --------
    Five users agree on thirty pairs, a sixth says the opposite:

    >>> pair, user = np.divmod(np.arange(180), 6)
    >>> up = (pair % 2 == 0) ^ (user == 5)
    >>> same = np.zeros(180, np.int64)
    >>> fit(Votes(pair, pair, user, up, same, np.ones(180)), 6).weight.tolist()
    [1.25, 1.25, 1.25, 1.25, 1.25, 0.0]
    """
    sign = np.where(votes.up, 1.0, -1.0)
    group = copied_votes.groups(votes.pair, votes.label, votes.user, votes.up, n_users)
    weight = votes.weight * as_one(votes.pair, votes.up, group[votes.user])
    free = _undecided(votes, sign)
    n_pairs = int(votes.pair.max(initial=-1)) + 1
    accuracy = np.full(n_users, POOLED_PRIOR[0])
    for _ in range(ROUNDS):
        voice = _logit(np.clip(accuracy, 0.5, MAX_ACCURACY))[votes.user] * sign * weight
        others = np.bincount(votes.pair, voice, n_pairs)[votes.pair] - voice
        sure = np.tanh(np.abs(others) / 2)
        right = sure * ((np.sign(others) == sign) - (1 - sure) / 2)
        on_own = _accuracy(votes, n_users, right * free, sure**2 * free)
        in_all = _accuracy(votes, n_users, right, sure**2)
        accuracy = on_own.of_user
    share = np.minimum(on_own.weight, in_all.weight)
    trusted = np.clip((on_own.pooled - TRUSTED[0]) / (TRUSTED[1] - TRUSTED[0]), 0, 1)
    earned = sure**2 * free
    return Voters(
        np.round((1 + trusted * (share - 1)) / STEP) * STEP,
        _proof(votes, earned, n_users),
        group,
        earned,
    )


class _Accuracy(NamedTuple):
    of_user: Floats
    weight: Floats
    pooled: float


def _accuracy(votes: Votes, n_users: int, right: Floats, seen: Floats) -> _Accuracy:
    """Return how right users are, and what that makes them weigh.

    The moment estimate from comparisons with a reference that is itself right with a known
    probability, shrunk; weights only follow what is beyond one standard deviation.
    """
    n_seen, n_right = (np.bincount(votes.user, v, n_users) for v in (seen, right))
    share = votes.weight * np.minimum(1, POOLED / np.maximum(n_seen, 1e-9))[votes.user]
    prior, strength = POOLED_PRIOR
    mean = (share @ right + prior * strength) / (share @ seen + strength)
    pooled = float(np.clip(mean, 0.55, MAX_ACCURACY))
    of_user = (n_right + SHRINK * pooled) / (n_seen + SHRINK)
    apart = of_user - pooled
    beyond = np.abs(apart) - np.sqrt(pooled * (1 - pooled) / (n_seen + SHRINK))
    told = pooled + np.sign(apart) * np.maximum(beyond, 0)
    weight = np.clip((2 * told - 1) / (2 * pooled - 1), 0, MAX_WEIGHT)
    return _Accuracy(of_user, weight, pooled)


def as_one(pair: Ints, up: Mask, group: Ints) -> Floats:
    """Return ``float64[n]``: what is left of each vote where groups have one voice on a pair.

    `group` is -1 for votes that stand alone.
    """
    left = np.ones(len(pair))
    grouped = np.flatnonzero(group >= 0)
    keys = np.stack([pair[grouped], up[grouped], group[grouped]], axis=1)
    place, n = np.unique(keys, axis=0, return_inverse=True, return_counts=True)[1:]
    left[grouped] = 1 / n[place.reshape(-1)]
    return left


def _proof(votes: Votes, earned: Floats, n_users: int) -> Floats:
    key = votes.user * (int(votes.label.max(initial=0)) + 1) + votes.label
    of, place = np.unique(key, return_inverse=True)
    of_label = np.minimum(np.bincount(place, earned, len(of)), LABEL_PROOF)
    user = of // (int(votes.label.max(initial=0)) + 1)
    spread = np.bincount(user, of_label, n_users)
    return spread / (spread + PROOF)


def _undecided(votes: Votes, sign: Floats) -> Mask:
    """Return which votes were cast where as many earlier ones were for the pair as against."""
    order = np.lexsort((votes.time, votes.pair))
    pair, time = votes.pair[order], votes.time[order]
    before = np.concatenate([[0.0], np.cumsum(sign[order])])
    start_of_pair = run_starts(pair)[run_numbers(pair)]
    start_of_time = run_starts(pair, time)[run_numbers(pair, time)]
    free = np.empty(len(sign), bool)
    free[order] = before[start_of_time] == before[start_of_pair]
    return free


def _logit(p: Floats) -> Floats:
    return np.log(p / (1 - p))
