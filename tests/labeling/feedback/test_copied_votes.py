from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.feedback import copied_votes

Rows = npt.NDArray[np.int64]


def components_by_hand(n_users: int, links: list[tuple[int, int]]) -> list[int]:
    """Return the lowest user that each user is linked with, by repeated passes over the links."""
    lowest = list(range(n_users))
    for _ in range(n_users):
        for user, other in links:
            lowest[user] = lowest[other] = min(lowest[user], lowest[other])
    return lowest


@given(st.data(), st.integers(1, 30))
def test_groups_are_the_connected_components_named_by_their_first_user(
    data: st.DataObject, n_users: int
) -> None:
    users = st.integers(0, n_users - 1)
    links = data.draw(st.lists(st.tuples(users, users).filter(lambda link: link[0] != link[1])))
    n = np.arange(n_users)
    with pytest.MonkeyPatch.context() as patch:
        ends = np.array(links, np.int64).reshape(-1, 2).T
        patch.setattr(copied_votes, "_linked", lambda *_: tuple(ends))
        patch.setattr(copied_votes, "MINORITY", 1.0)
        groups = copied_votes.groups(n, 0 * n, n, n >= 0, n_users)
    lowest = components_by_hand(n_users, links)
    assert groups.tolist() == [user if lowest.count(user) > 1 else -1 for user in lowest]


def test_a_long_chain_of_copies_is_one_group() -> None:
    n_users, n_common = 20_000, copied_votes.COMMON
    first = np.repeat(np.arange(n_users), 2 * n_common)
    pair = first * n_common + np.tile(np.arange(2 * n_common), n_users)
    groups = copied_votes.groups(pair, 0 * pair, first, pair >= 0, n_users)
    assert (groups == -1).all()  # everybody copies: that is how people vote there
    others = 11 * n_users
    user = np.append(first, n_users + np.arange(others))
    label = np.zeros(len(user), np.int64)
    pair = np.append(pair, pair.max() + 1 + np.arange(others))
    groups = copied_votes.groups(pair, label, user, pair >= 0, n_users + others)
    assert (groups[:n_users] == 0).all()
    assert (groups[n_users:] == -1).all()
