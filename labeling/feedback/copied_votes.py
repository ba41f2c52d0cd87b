"""Users who say the same about the same things far more often than chance: one voice, not many.

Agreement between sources that depend on each other proves nothing (Dong, Berti-Equille and
Srivastava 2009, "Integrating conflicting data: the role of source dependence"). Two users are
twins if they say the same about `COMMON` pairs or more, and `LIFT` times as many as users with so
many votes would by chance. Twins of twins are one group. A group is no minority, and left alone, if
it is more than `MINORITY` of the users who vote on the same labels: that is how people vote there.
"""

from __future__ import annotations

import numpy as np

from labeling.keys.arrays import Ints, Mask
from labeling.keys.runs import rank_in_run

COMMON = 5
LIFT = 4.0
MINORITY = 0.1

MAX_VOTERS = 30
"""Votes on one side of a pair that are compared with each other, the first ones by user."""


def groups(pair: Ints, label: Ints, user: Ints, up: Mask, n_users: int) -> Ints:
    """Return the group of each user, or -1.

    Parameters
    ----------
    pair, label, user, up
        See `labeling.feedback.voter_reliability.Votes`.
    n_users
        Number of users.

    Examples
    --------
    Three of sixty users vote on the same six pairs, the others on six of their own:

    >>> user, number = np.divmod(np.arange(360), 6)
    >>> pair = np.where(user < 3, number, 6 * user + number)
    >>> groups(pair, 0 * pair, user, pair >= 0, 60)[:4].tolist()
    [0, 0, 0, -1]
    """
    one, other = _twins(pair, user, up, n_users)
    group = np.arange(n_users)
    while True:
        least = np.minimum(group[one], group[other])
        before = group.copy()
        np.minimum.at(group, one, least)
        np.minimum.at(group, other, least)
        if (group == before).all():
            break
    size = np.bincount(group, minlength=n_users)
    n_of_label = np.bincount(np.unique(np.stack([label, user], 1), axis=0)[:, 0])
    n_votes = np.bincount(group[user], minlength=n_users)
    around = np.bincount(group[user], n_of_label[label], n_users) / np.maximum(n_votes, 1)
    few = (size > 1) & (size <= MINORITY * around)
    return np.where(few[group], group, -1)


def _twins(pair: Ints, user: Ints, up: Mask, n_users: int) -> tuple[Ints, Ints]:
    side = pair * 2 + up
    order = np.lexsort((user, side))
    side, who = side[order], user[order]
    place = rank_in_run(side)
    side, who = side[place < MAX_VOTERS], who[place < MAX_VOTERS]
    keys = [np.empty(0, np.int64)]
    for step in range(1, MAX_VOTERS):
        same = side[step:] == side[:-step]
        keys.append(who[:-step][same] * n_users + who[step:][same])
    key, n_common = np.unique(np.concatenate(keys), return_counts=True)
    n_votes = np.bincount(user, minlength=n_users)
    popular = np.bincount(pair) / max(len(pair), 1)
    one, other = key // n_users, key % n_users
    by_chance = n_votes[one] * n_votes[other] * float(popular @ popular)
    twins = (n_common >= COMMON) & (n_common >= LIFT * by_chance)
    return one[twins], other[twins]
