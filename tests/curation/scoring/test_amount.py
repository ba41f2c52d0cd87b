from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from curation.scoring.amount import evidence_amount
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


def test_more_evidence_of_one_source_raises_the_amount(table):
    row = int(table.voted.sum(axis=1).argmax())
    weak, strong, on_many_pages = (
        evidence_amount(changed(table, row, strength=strength, log_pages=np.log1p(n_pages)))
        for strength, n_pages in ((0.5, 1), (0.9, 1), (0.9, 20))
    )
    assert 0 < weak[row] < strong[row] < on_many_pages[row] < 1
    np.testing.assert_array_equal(np.delete(weak, row), np.delete(on_many_pages, row))


def test_certain_sources_still_add_up(table):
    n_sources = len(table.sources)
    values = np.zeros_like(table.values)
    for n in range(n_sources):
        values[n, : n + 1] = 1.0
        values[n, n_sources : n_sources + n + 1] = np.log(2)
    amount = evidence_amount(dataclasses.replace(table, values=values))[:n_sources]
    np.testing.assert_allclose(amount, np.arange(1, n_sources + 1) / np.arange(2, n_sources + 2))


def test_without_evidence_the_amount_is_zero(table):
    nothing = dataclasses.replace(table, values=np.zeros_like(table.values))
    assert not evidence_amount(nothing).any()
