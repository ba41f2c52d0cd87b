from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.agreement.capture_recapture import count_missed, occasions
from curation.agreement.label_model import Patterns, count_patterns
from curation.scoring.features import features, vote_masks
from tests.curation.worlds import make_world


def catch(seed, easy=0.0, together=0.0, coverage=(1.0, 1.0), n=5000, n_groups=4):
    """Return who catches and covers each candidate, what is right, and how many right ones nobody.

    Right pairs differ by `easy` (logits) in how easily they are named; the first two groups vote
    together on a quarter of them, by `together`. Wrong pairs are as many as right ones.
    """
    rng = np.random.default_rng(seed)
    rate = np.concatenate([np.tile(rng.uniform(0.15, 0.6, n_groups), (n, 1)), np.full((n, 4), 0.1)])
    logit = np.log(rate / (1 - rate))
    logit[:n] += easy * rng.normal(size=n)[:, None]
    logit[:n, :2] += together * (rng.random(n) < 0.25)[:, None]
    covered = rng.random(logit.shape) < rng.uniform(*coverage, n_groups)
    caught = (rng.random(logit.shape) < 1 / (1 + np.exp(-logit))) & covered
    seen, right = caught.any(axis=1), np.arange(2 * n) < n
    return caught[seen], covered[seen], right[seen], int(np.sum(right & ~seen))


def audit(caught, covered, right, n, seed):
    """Audit `n` pairs, as many of each stratum: one, two or more groups."""
    rng = np.random.default_rng(seed)
    stratum = np.minimum(caught.sum(axis=1), 3) - 1
    size = np.bincount(stratum, minlength=3)
    rows = np.concatenate(
        [
            rng.choice(np.flatnonzero(stratum == k), min(n // 3, size[k]), replace=False)
            for k in range(3)
        ]
    )
    p = np.minimum(n // 3 / size, 1)[stratum[rows]]
    return count_missed(
        caught[rows], covered[rows], right[rows], p, stratum[rows].astype(np.int64), len(right)
    )


def audit_all(caught, covered, right):
    zeros = np.zeros(len(right), np.int64)
    return count_missed(caught, covered, right, np.ones(len(right)), zeros, len(right))


def test_unlike_independent_groups_give_an_estimate_near_the_truth():
    of_truth = []
    for seed in range(20):
        caught, covered, right, n_missed = catch(seed)
        estimate = audit_all(caught, covered, right)
        assert estimate.n_right == pytest.approx(right.sum())
        of_truth.append(estimate.n_missed / n_missed)
    assert np.mean(of_truth) == pytest.approx(1, abs=0.03)
    assert np.std(of_truth) < 0.1


@pytest.mark.parametrize(
    ("world", "least", "times"),
    [
        ({}, 0.6, 90),  # the interval is exact here: 95 are expected
        ({"coverage": (0.5, 0.95)}, 0.5, 95),
        ({"easy": 1.2}, 0.25, 95),
        ({"together": 3.0}, 0.4, 95),
    ],
)
def test_the_bound_is_on_the_safe_side(world, least, times):
    held, of_truth = np.zeros(2), []
    for seed in range(100):
        *pool, n_missed = catch(seed, **world)
        estimate = audit(*pool, n=300, seed=seed)
        recall = pool[2].sum() / (pool[2].sum() + n_missed)
        held += [estimate.n_missed_low <= n_missed, estimate.recall_at_most >= recall]
        of_truth.append(estimate.n_missed_low / n_missed)
    assert (held >= times).all()
    assert np.median(of_truth) > least


def test_groups_that_avoid_each_other_reverse_the_bound():
    rng = np.random.default_rng(0)
    kind = rng.random(6000) < 0.5
    rate = np.where(kind[:, None], [0.7, 0.05], [0.05, 0.7])
    caught = rng.random(rate.shape) < rate
    seen = caught.any(axis=1)
    estimate = audit_all(caught[seen], caught[seen] | True, seen[seen])
    assert estimate.n_missed_low > 2 * np.sum(~seen)


def test_sources_that_err_together_are_one_occasion_in_a_world():
    world = make_world(3000, seed=3)
    table = features(world.candidates, world.taxonomy)
    patterns, _ = count_patterns(table.voted, table.silent)
    member = occasions(patterns)
    assert (member.sum(axis=0) == 1).all()
    on_page = [table.sources.index(name) for name in ("heading", "page", "surrounding", "title")]
    assert member[:, on_page].any(axis=1).sum() == 1
    caught, covered = table.voted @ member.T, (table.voted | table.silent) @ member.T
    estimate = audit_all(caught, covered, world.correct)
    n_missed = len(world.truth) - world.correct.sum()
    assert 0.3 * n_missed < estimate.n_missed_low < n_missed


def test_sources_that_name_nothing_first_are_not_occasions():
    voted = np.array([[1, 0, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1], [1, 1, 1, 1]], bool)
    member = occasions(Patterns(voted, ~voted, np.array([9.0, 4, 6, 2])))
    assert member.sum(axis=0).tolist() == [1, 0, 0, 1]


def test_votes_are_those_of_the_features():
    world = make_world(300, seed=1)
    table = features(world.candidates, world.taxonomy)
    voted, silent = vote_masks(world.candidates.select(["evidence", "silent"]), table.sources)
    np.testing.assert_array_equal(voted, table.voted)
    np.testing.assert_array_equal(silent, table.silent)


@pytest.mark.parametrize(
    "caught",
    [
        np.zeros((0, 2), bool),
        np.ones((9, 1), bool),
        np.ones((9, 2), bool),
        np.array([[True, False]] * 9),
    ],
)
def test_no_estimate_without_two_groups_that_name_right_pairs_alone(caught):
    assert audit_all(caught, caught | True, np.ones(len(caught), bool)) is None


def test_wrong_pairs_alone_give_no_estimate():
    caught = np.array([[True, False], [False, True]] * 9)
    assert audit_all(caught, caught | True, np.zeros(18, bool)) is None


def test_no_pair_that_two_name_leaves_a_wide_interval():
    caught = np.repeat([[True, False], [False, True]], 20, axis=0)
    estimate = audit_all(caught, caught | True, np.ones(40, bool))
    assert estimate.n_missed == pytest.approx(20 * 20)
    assert 0 < estimate.n_missed_low < estimate.n_missed / 4


def test_images_that_one_group_covers_miss_nothing():
    caught = np.array([[1, 0]] * 30 + [[0, 1]] * 20 + [[1, 1]] * 30, bool)
    lone = np.array([[True, False]] * 50)
    estimate = audit_all(
        np.vstack([caught, lone]), np.vstack([caught | True, lone]), np.ones(130, bool)
    )
    assert estimate.n_missed == pytest.approx(30 * 20 / 31)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 7), st.integers(0, 7), st.booleans()), max_size=40),
    st.floats(0.05, 1.0),
    st.integers(0, 2**32 - 1),
)
def test_bounds_are_in_order_whatever_is_caught(rows, p, seed):
    state = np.array(rows, np.int64).reshape(-1, 3)
    caught = (state[:, :1] >> np.arange(3) & 1).astype(bool)
    covered = caught | (state[:, 1:2] >> np.arange(3) & 1).astype(bool)
    right, n = state[:, 2].astype(bool), len(state)
    order = np.random.default_rng(seed).permutation(n)
    estimate, shuffled = (
        count_missed(caught[o], covered[o], right[o], np.full(n, p), np.zeros(n, np.int64), 10 * n)
        for o in (np.arange(n), order)
    )
    if estimate is None:
        assert shuffled is None
        return
    assert 0 <= estimate.n_missed_low <= estimate.n_missed < np.inf
    assert 0 < estimate.recall_at_most <= 1
    assert shuffled.n_missed_low == pytest.approx(estimate.n_missed_low)
