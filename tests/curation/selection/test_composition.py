from __future__ import annotations

import numpy as np
import pytest

from curation.intervals.judgements import Judgements
from curation.selection.composition import compare, shares
from curation.selection.groups import Partition
from labeling.errors import QualityError

N = 20_000
SIZES = np.random.default_rng(0).exponential(8, N).astype(np.int64)
LABELS = Partition(SIZES, tuple(f"label {i}" for i in range(SIZES.max() + 1)))
ALL = np.ones(N, bool)


def drawn(row: np.ndarray, p_inclusion: np.ndarray) -> Judgements:
    return Judgements(row, np.ones(len(row), bool), p_inclusion)


def simple(n: int, seed: int, among: np.ndarray = ALL) -> Judgements:
    row = np.random.default_rng(seed).choice(np.flatnonzero(among), n, replace=False)
    return drawn(row, np.full(n, n / among.sum()))


def unequal(seed: int) -> Judgements:
    """Draw large labels more often than small ones, by known probabilities."""
    p = 0.005 + 0.002 * SIZES
    row = np.flatnonzero(np.random.default_rng(seed).random(N) < p)
    return drawn(row, p[row])


@pytest.mark.parametrize("draw", [lambda seed: simple(500, seed), unequal])
def test_random_draws_are_rarely_reported(draw):
    n_reported = sum(bool(compare({"label": LABELS}, draw(seed), ALL)) for seed in range(200))
    assert n_reported <= 3


def test_audits_of_other_candidates_are_reported_with_the_labels_that_differ_most():
    last_month = (SIZES != 2) & (np.arange(N) % 5 > 0)
    facts = compare({"label": LABELS}, simple(1000, 0, last_month), ALL)
    assert facts["n_represented"] == pytest.approx(last_month.sum())
    first = facts["parts_that_differ"][0]
    assert (first["by"], first["part"], first["n_audits"]) == ("label", "label 2", 0)
    assert first["of_candidates"] == pytest.approx(np.mean(SIZES == 2))
    assert facts["kept_unseen"] == pytest.approx(np.mean(SIZES == 2))


def test_parts_that_are_seldom_audited_are_reported_only_beyond_chance():
    rare = Partition((np.arange(N) < 40).astype(np.int64), ("many", "few"))
    without_few = simple(500, 0, np.arange(N) >= 40)
    assert compare({"label": rare}, without_few, ALL) == {}
    assert shares(rare, without_few)[2].min() > 0.1


def test_a_selection_that_hardly_any_audit_is_of_is_refused():
    judged = simple(500, 0, SIZES > 3)
    facts = compare({"label": LABELS}, judged, SIZES > 2)
    assert 0 < facts["kept_unseen"] < 0.5
    with pytest.raises(QualityError, match="most of the kept"):
        compare({"label": LABELS}, judged, SIZES <= 4)


def test_parts_of_several_partitions_count_once():
    judged = simple(1000, 0, SIZES != 0)
    twice = compare({"label": LABELS, "level": LABELS}, judged, SIZES < 5)
    once = compare({"label": LABELS}, judged, SIZES < 5)
    assert twice["kept_unseen"] == once["kept_unseen"] > 0
    assert len(twice["parts_that_differ"]) == 2 * len(once["parts_that_differ"])


@pytest.mark.parametrize("n", [0, 1, 3])
def test_few_audits_prove_no_difference(n: int):
    assert "parts_that_differ" not in compare({"label": LABELS}, simple(n, 0), ALL)


def test_no_candidates_differ_in_nothing():
    nothing = Partition(np.zeros(0, np.int64), ("all",))
    none = drawn(np.zeros(0, np.int64), np.zeros(0))
    assert compare({"label": nothing}, none, np.zeros(0, bool)) == {}
