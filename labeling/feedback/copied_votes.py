"""Groups of users who vote alike on the same pairs far more often than by chance: one vote each.

Agreement between sources that depend on each other proves nothing (Dong, Berti-Equille and
Srivastava 2009, "Integrating conflicting data: the role of source dependence"). Two users are
linked if they cast the same vote on `COMMON` pairs or more, and on `LIFT` times as many as users
with so many votes would by chance. Linked users form a group. A group larger than `MINORITY` of the
users who vote on the same labels is left alone: that is how people vote there.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from labeling.keys.arrays import Ints, Mask
from labeling.keys.runs import rank_in_run

COMMON = 5
LIFT = 4.0
MINORITY = 0.1

MAX_VOTERS = 30
"""Votes for, or against, one pair that are compared with each other: the first ones by user."""


def groups(pair: Ints, label: Ints, user: Ints, up: Mask, n_users: int) -> Ints:
    """Return the group of each user, named by its first user, or -1.

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
    ends = _linked(pair, user, up, n_users)
    links = coo_array((np.ones(len(ends[0]), bool), ends), shape=(n_users, n_users))
    component = connected_components(links, directed=False)[1]
    _, first, size = np.unique(component, return_index=True, return_counts=True)
    group = first[component]
    n_of_label = np.bincount(np.unique(np.stack([label, user], 1), axis=0)[:, 0])
    n_votes = np.bincount(group[user], minlength=n_users)
    n_peers = np.bincount(group[user], n_of_label[label], n_users) / np.maximum(n_votes, 1)
    is_minority = (size[component] > 1) & (size[component] <= MINORITY * n_peers[group])
    return np.where(is_minority, group, -1)


def _linked(pair: Ints, user: Ints, up: Mask, n_users: int) -> tuple[Ints, Ints]:
    """Return the two users of each link."""
    side = pair * 2 + up
    order = np.lexsort((user, side))
    side, voter = side[order], user[order]
    is_first = rank_in_run(side) < MAX_VOTERS
    side, voter = side[is_first], voter[is_first]
    keys = [np.empty(0, np.int64)]
    for step in range(1, MAX_VOTERS):
        same = side[step:] == side[:-step]
        keys.append(voter[:-step][same] * n_users + voter[step:][same])
    key, n_common = np.unique(np.concatenate(keys), return_counts=True)
    n_votes = np.bincount(user, minlength=n_users)
    popularity = np.bincount(pair) / max(len(pair), 1)
    first, second = key // n_users, key % n_users
    by_chance = n_votes[first] * n_votes[second] * float(popularity @ popularity)
    linked = (n_common >= COMMON) & (n_common >= LIFT * by_chance)
    return first[linked], second[linked]
