from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from labeling.feedback import copied_votes, voter_reliability


def crowd(
    seed: int, skill: list[float], n_pairs: int = 120
) -> tuple[voter_reliability.Votes, np.ndarray]:
    """Return votes of every user on every pair, at one time, and what is right."""
    rng = np.random.default_rng(seed)
    right = rng.random(n_pairs) < 0.5
    user, pair = np.divmod(np.arange(len(skill) * n_pairs), n_pairs)
    up = right[pair] == (rng.random(len(user)) < np.array(skill)[user])
    return votes_of(pair, user, up), right


def votes_of(pair: np.ndarray, user: np.ndarray, up: np.ndarray) -> voter_reliability.Votes:
    n = len(pair)
    return voter_reliability.Votes(pair, pair % 7, user, up, np.zeros(n, int), np.ones(n))


def test_better_users_weigh_more_and_wrong_ones_nothing() -> None:
    votes, _ = crowd(0, [0.95] * 6 + [0.6, 0.1])
    weight = voter_reliability.fit(votes, 8).weight
    assert weight[:6].min() >= 1 > weight[6] > weight[7] == 0


def test_users_who_agree_hardly_more_than_chance_are_not_judged() -> None:
    votes, _ = crowd(1, [0.6] * 6)
    assert (voter_reliability.fit(votes, 6).weight == 1).all()


def test_users_who_vote_on_no_common_pair_have_the_usual_weight() -> None:
    votes, _ = crowd(2, [0.9] * 5)
    lone = votes_of(np.append(votes.pair, 500), np.append(votes.user, 5), np.append(votes.up, True))
    fitted = voter_reliability.fit(lone, 6)
    assert fitted.weight[5] == 1
    assert fitted.credibility[5] == 0


def test_copies_of_earlier_votes_prove_nothing() -> None:
    votes, _ = crowd(3, [0.9] * 5)
    first = votes.user == 0
    pair = np.append(votes.pair, votes.pair[first])
    time = np.append(np.zeros(len(votes.pair), int), np.ones(first.sum(), int))
    user = np.append(votes.user, np.full(first.sum(), 5))
    up = np.append(votes.up, votes.up[first])
    given_ = voter_reliability.Votes(pair, pair % 7, user, up, time, np.ones(len(pair)))
    fitted = voter_reliability.fit(given_, 6)
    assert fitted.credibility[5] < 0.1 < fitted.credibility[:5].min()


def test_users_who_copy_each_other_share_one_vote() -> None:
    rng = np.random.default_rng(4)
    user = np.repeat(np.arange(200), 10)
    pair = rng.integers(500, size=2000)
    ring = np.repeat(np.arange(200, 205), 8)
    target = np.tile(np.arange(8), 5)
    user, pair = np.append(user, ring), np.append(pair, target)
    up = np.append(rng.random(2000) < 0.5, np.ones(40, bool))
    group = copied_votes.groups(pair, 0 * pair, user, up, 205)
    assert (group[:200] == -1).all()
    assert len(set(group[200:])) == 1 and group[200] >= 0
    left = voter_reliability.group_shares(pair, up, group[user])
    assert np.allclose(np.bincount(pair[-40:], left[-40:])[:8], 1)


def test_if_most_users_vote_alike_nobody_is_a_copy() -> None:
    votes, _ = crowd(5, [0.9] * 5)
    assert (copied_votes.groups(votes.pair, votes.label, votes.user, votes.up, 5) == -1).all()


@given(st.integers(0, 200), st.integers(2, 7), st.integers(0, 30))
def test_weights_and_credibility_stay_in_their_bounds(seed: int, n_users: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    key = rng.permutation(n_users * 12)[:n]
    n = len(key)
    votes = votes_of(key % 12, key // 12, rng.random(n) < 0.5)
    votes = votes._replace(time=rng.integers(3, size=n), weight=rng.random(n))
    fitted = voter_reliability.fit(votes, n_users)
    assert ((fitted.weight >= 0) & (fitted.weight <= voter_reliability.MAX_WEIGHT)).all()
    assert ((fitted.credibility >= 0) & (fitted.credibility < 1)).all()
    assert (fitted.weight % voter_reliability.STEP == 0).all()
