from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from curation.scoring.cold import evidence_amount, source_statistics, vote_share
from curation.scoring.features import features
from tests.curation.worlds import make_world


@pytest.fixture(scope="module")
def table():
    world = make_world(50)
    return features(world.candidates, world.taxonomy)


def changed(table, row, **values):
    """Return the candidates with other features of the first source that votes for one of them."""
    source = table.sources[int(np.flatnonzero(table.voted[row])[0])]
    copy = table.values.copy()
    for measure, value in values.items():
        copy[row, table.names.index(f"{source}.{measure}")] = value
    return dataclasses.replace(table, values=copy)


def with_votes(table, voted, silent, strength=0.9, n_pages=1):
    """Return candidates with these votes of the first sources, all else removed."""
    n, n_voters = voted.shape
    few = table.take(np.arange(n))
    values, n_sources = np.zeros_like(few.values), len(few.sources)
    values[:, :n_voters] = np.where(voted, strength, 0)
    values[:, n_sources : n_sources + n_voters] = np.where(voted, np.log1p(n_pages), 0)
    votes = [np.zeros((n, n_sources), bool) for _ in range(2)]
    for filled, given in zip(votes, (voted, silent), strict=True):
        filled[:, :n_voters] = given
    return dataclasses.replace(few, values=values, voted=votes[0], silent=votes[1])


def test_more_evidence_of_one_source_raises_amount_and_share(table):
    row = int(table.voted.sum(axis=1).argmax())
    usual = source_statistics(table)
    tables = [
        changed(table, row, strength=strength, log_pages=np.log1p(n_pages))
        for strength, n_pages in ((0.1, 1), (0.9, 1), (0.9, 20))
    ]
    for measure in (evidence_amount, vote_share):
        weak, strong, on_many_pages = (measure(t, usual) for t in tables)
        assert 0 < weak[row] < strong[row] <= on_many_pages[row]
        np.testing.assert_array_equal(np.delete(weak, row), np.delete(on_many_pages, row))
    assert evidence_amount(tables[1], usual)[row] < evidence_amount(tables[2], usual)[row]


def test_certain_sources_still_add_up(table):
    voted = np.tril(np.ones((6, 6), bool))
    few = with_votes(table, voted, ~voted, strength=1.0)
    assert np.all(np.diff(evidence_amount(few, source_statistics(few))) > 0.1)


def test_without_evidence_the_amount_is_zero(table):
    nothing = with_votes(table, np.zeros((5, 2), bool), np.ones((5, 2), bool))
    usual = source_statistics(nothing)
    assert not evidence_amount(nothing, usual).any()
    np.testing.assert_array_equal(vote_share(nothing, usual), 0.5)
    assert np.all(vote_share(nothing, source_statistics(table)) < 0.5)


def test_a_vote_of_a_source_that_names_nearly_everything_counts_less(table):
    chance = np.random.default_rng(0)
    voted = np.column_stack([chance.random(100) < 0.1, np.arange(100) > 0])
    few = with_votes(table, voted, ~voted)
    usual = source_statistics(few)
    assert usual.weight[:2].sum() == pytest.approx(len(few.sources))
    assert usual.weight[1] < usual.weight[0] / 2
    rare, common = (int(np.flatnonzero((voted == state).all(axis=1))[0]) for state in
                    ([True, True], [False, True]))  # fmt: skip
    for measure in (evidence_amount, vote_share):
        assert measure(few, usual)[rare] > measure(few, usual)[common]


def test_many_texts_of_a_source_that_names_everything_are_evidence(table):
    voted, n_pages = np.ones((100, 1), bool), np.ones((100, 1))
    n_pages[:5] = 20
    few = with_votes(table, voted, ~voted, n_pages=n_pages)
    usual = source_statistics(few)
    for measure in (evidence_amount, vote_share):
        assert measure(few, usual)[:5].min() > measure(few, usual)[5:].max()


def test_a_source_of_weak_votes_has_little_weight(table):
    chance = np.random.default_rng(0)
    voted = chance.random((100, 2)) < 0.2
    few = with_votes(table, voted, ~voted, strength=np.array([0.9, 0.05]))
    weight = source_statistics(few).weight
    assert 0 < weight[1] < weight[0] / 10
