from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from curation.agreement.label_model import (
    count_patterns,
    fit_label_model,
    merge_patterns,
    vote_scores,
)
from curation.agreement.source_dependence import log_odds_ratios, partitions
from curation.scoring.features import features
from tests.curation.worlds import cold_scores, make_world


def draw(n_on_page, n_alone, pull=3.0, n=30_000, seed=0):
    """Return who voted, who is silent, and the truth; the first sources follow a page's topic."""
    rng = np.random.default_rng(seed)
    m = n_on_page + n_alone
    right, topical = rng.random(n) < 0.25, rng.random(n) < 0.25
    hit, miss = rng.uniform(0.25, 0.6, m), rng.uniform(0.05, 0.15, m)
    rate = np.where(right[:, None], hit, miss)
    logit = np.log(rate / (1 - rate))
    logit[:, :n_on_page] += pull * topical[:, None]
    covers = rng.random((n, m)) < rng.uniform(0.4, 0.95, m)
    voted = (rng.random((n, m)) < 1 / (1 + np.exp(-logit))) & covers
    seen = voted.any(axis=1)
    return voted[seen], (covers & ~voted)[seen], right[seen]


def vote_share(voted, silent):
    return (voted.sum(axis=1) + 1) / ((voted | silent).sum(axis=1) + 2)


def at_a_third(score, right):
    chance = np.random.default_rng(0).random(len(score))
    return right[np.lexsort((chance, -score))[: len(score) // 3]].mean()


def test_a_group_that_follows_the_page_is_found_and_outranked():
    voted, silent, right = draw(n_on_page=6, n_alone=3, pull=5.0)
    patterns, pattern = count_patterns(voted, silent)
    model = fit_label_model(patterns)
    assert model.groups == ((0, 1, 2, 3, 4, 5), (6,), (7,), (8,))
    by_share = at_a_third(vote_share(voted, silent), right)
    assert at_a_third(model.log_odds(voted, silent), right) > by_share + 0.15
    scores = vote_scores(patterns, pattern, vote_share(voted, silent))
    assert at_a_third(scores, right) > by_share + 0.02


def test_independent_sources_stay_alone_and_are_weighed_by_their_skill():
    voted, silent, right = draw(n_on_page=0, n_alone=6)
    patterns, pattern = count_patterns(voted, silent)
    assert all(len(group) == 1 for group in fit_label_model(patterns).groups)
    by_share = roc_auc_score(right, vote_share(voted, silent))
    scores = vote_scores(patterns, pattern, vote_share(voted, silent))
    assert roc_auc_score(right, scores) > by_share + 0.01


def test_the_pairs_that_nobody_names_are_counted_for():
    voted, silent, right = draw(n_on_page=0, n_alone=6)
    model = fit_label_model(count_patterns(voted, silent)[0])
    assert model.p_right == pytest.approx(0.25, abs=0.06)
    assert right.mean() > 0.35


@pytest.mark.parametrize("seed", [20, 21])
def test_cold_scores_rank_better_than_strengths_times_vote_share(seed):
    world = make_world(3000, seed)
    table = features(world.candidates, world.taxonomy)
    plain = vote_share(table.voted, table.silent) * table.column("noisy_or")
    cold = cold_scores(table)
    assert at_a_third(cold, world.correct) > at_a_third(plain, world.correct)
    assert roc_auc_score(world.correct, cold) > roc_auc_score(world.correct, plain)


def test_two_sources_count_as_votes():
    voted = np.array([[True, True], [True, False], [False, True], [True, False], [False, True]])
    silent = np.array([[False, False], [False, True], [True, False], [False] * 2, [False] * 2])
    patterns, pattern = count_patterns(voted, silent)
    share = vote_share(voted, silent)
    np.testing.assert_array_equal(vote_scores(patterns, pattern, share), share)


votes = st.lists(
    st.lists(st.integers(0, 2), min_size=4, max_size=4).filter(lambda row: 1 in row), max_size=30
)


@settings(max_examples=10, deadline=None)
@given(votes, st.integers(0, 30))
def test_parts_of_the_candidates_add_up(rows, cut):
    state = np.array(rows, np.int64).reshape(len(rows), 4)
    voted, silent = state == 1, state == 2
    whole, pattern = count_patterns(voted, silent)
    np.testing.assert_array_equal(whole.voted[pattern], voted)
    np.testing.assert_array_equal(whole.silent[pattern], silent)
    parts = [count_patterns(voted[s], silent[s]) for s in (slice(0, cut), slice(cut, None))]
    merged, index = merge_patterns([patterns for patterns, _ in parts])
    np.testing.assert_array_equal(merged.count, whole.count)
    moved = np.concatenate([parts[0][1], parts[1][1] + len(parts[0][0].count)])
    np.testing.assert_array_equal(index[moved], pattern)
    assert np.isfinite(vote_scores(merged, index[moved], vote_share(voted, silent))).all()


def test_many_patterns_are_fitted_on_a_sample(monkeypatch):
    voted, silent, right = draw(n_on_page=0, n_alone=6)
    patterns, pattern = count_patterns(voted, silent)
    share = vote_share(voted, silent)
    by_all = roc_auc_score(right, vote_scores(patterns, pattern, share))
    monkeypatch.setattr("curation.agreement.label_model.MAX_PATTERNS", len(patterns.count) // 4)
    assert roc_auc_score(right, vote_scores(patterns, pattern, share)) > by_all - 0.01


def test_odds_ratios_are_not_distorted_by_what_is_never_seen():
    voted, silent, _ = draw(n_on_page=0, n_alone=5, n=60_000, seed=1)
    naive = np.corrcoef(voted.T)[np.triu_indices(5, 1)]
    patterns, _ = count_patterns(voted, silent)
    ratios = log_odds_ratios(patterns.voted, patterns.silent, patterns.count)
    assert naive.mean() < 0 < ratios[np.triu_indices(5, 1)].min()


def test_partitions_join_one_pair_at_a_time():
    patterns, _ = count_patterns(*draw(n_on_page=3, n_alone=3)[:2])
    joined = list(partitions(patterns.voted, patterns.silent, patterns.count, 3))
    assert [len(groups) for groups in joined] == [6, 5, 4, 3]
    assert all(sorted(sum(groups, ())) == list(range(6)) for groups in joined)
    assert (0, 1, 2) in joined[2]


def join_the_nearest(ratios, n_at_least):
    """Return the partitions of average linkage, each computed from all pairs of sources."""
    groups = [(source,) for source in range(len(ratios))]
    yield tuple(groups)
    while len(groups) > n_at_least:
        nearness = {
            (a, b): ratios[np.ix_(a, b)].mean() for a, b in itertools.combinations(groups, 2)
        }
        a, b = max(nearness, key=nearness.__getitem__)
        groups = sorted([group for group in groups if group not in (a, b)] + [tuple(sorted(a + b))])
        yield tuple(groups)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9), st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_partitions_are_those_of_average_linkage(n_sources, seed, n_at_least):
    rng = np.random.default_rng(seed)
    state = rng.integers(0, 3, (200, n_sources))
    patterns = state == 1, state == 2, rng.uniform(1, 50, 200)
    expected = join_the_nearest(log_odds_ratios(*patterns), n_at_least)
    assert list(partitions(*patterns, n_at_least)) == list(expected)
