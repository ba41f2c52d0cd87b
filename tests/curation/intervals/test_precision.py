from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from curation.audits.audits import N_BANDS, bands, sample
from curation.intervals.error_rates import NO_ERRORS, ErrorRates
from curation.intervals.judgements import Judgements, precision_of
from curation.intervals.precision import (
    clopper_pearson,
    precision_interval,
    precision_intervals,
)
from curation.intervals.thresholds import thresholds
from curation.pairs.pair_keys import find_pairs
from curation.scoring.features import features
from tests.curation.worlds import cold_scores, make_world


@given(st.integers(1, 200), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_clopper_pearson_bounds_are_the_exact_tests(n, share, confidence):
    k, tail = round(share * n), (1 - confidence) / 2
    low, high = clopper_pearson(k, n, confidence)
    assert 0 <= low <= k / n <= high <= 1
    assert low == 0 if k == 0 else math.isclose(binom.sf(k - 1, n, low), tail, rel_tol=1e-6)
    assert high == 1 if k == n else math.isclose(binom.cdf(k, n, high), tail, rel_tol=1e-6)


def test_equal_weights_give_nearly_clopper_and_pearson():
    correct = np.arange(400) % 5 > 0
    interval = precision_interval(correct, np.full(400, 0.01))
    assert interval.estimate == 0.8
    assert 398 < interval.n_effective < 400.001
    assert np.allclose((interval.low, interval.high), clopper_pearson(320, 400), atol=0.001)


def test_no_audits_give_the_widest_interval():
    interval = precision_interval(np.zeros(0, bool), np.zeros(0))
    assert math.isnan(interval.estimate)
    assert (interval.low, interval.high, interval.n_audits) == (0, 1, 0)


def test_unanimous_verdicts_do_not_give_certainty():
    p_inclusion = np.tile([0.01, 0.03], 50)
    interval = precision_interval(np.ones(100, bool), p_inclusion)
    assert (interval.estimate, interval.high) == (1, 1)
    # Kish: (Σw)² / Σw² = 80 for weights 3 : 1.
    assert math.isclose(interval.n_effective, 80)
    assert math.isclose(interval.low, clopper_pearson(80, 80)[0])


def test_weights_undo_unequal_inclusion():
    correct = np.repeat([True, False], [90, 10])
    p_inclusion = np.repeat([0.09, 0.01], [90, 10])
    assert math.isclose(precision_interval(correct, p_inclusion).estimate, 0.5)


def test_strata_count_by_the_kept_candidates_in_them():
    correct = np.repeat([True, False, True], [40, 10, 50])
    stratum = np.repeat([0, 0, 1], [40, 10, 50])
    interval = precision_interval(
        correct, np.full(100, 0.1), stratum=stratum, n_kept=np.array([3000, 1000])
    )
    assert math.isclose(interval.estimate, 0.75 * 0.8 + 0.25 * 1.0)


def test_a_stratum_that_is_judged_completely_has_no_width():
    correct = np.repeat([True, False], [450, 50])
    of_all, of_many, unknown = (
        precision_interval(correct, np.full(500, p), **strata)
        for p, strata in (
            (1.0, {"stratum": np.zeros(500, int), "n_kept": np.array([500])}),
            (0.5, {"stratum": np.zeros(500, int), "n_kept": np.array([1000])}),
            (1.0, {}),
        )
    )
    assert of_all.estimate == 0.9
    assert of_all.high - of_all.low < 1e-4
    width = unknown.high - unknown.low
    assert (of_many.high - of_many.low) / width == pytest.approx(np.sqrt(0.5), abs=0.02)
    np.testing.assert_allclose((unknown.low, unknown.high), clopper_pearson(450, 500), atol=1e-3)


def test_inclusion_probabilities_that_are_too_high_do_not_narrow_the_interval():
    correct = np.repeat([True, False], [450, 50])
    strata = {"stratum": np.zeros(500, int), "n_kept": np.array([10_000])}
    too_high, right = (precision_interval(correct, np.full(500, p), **strata) for p in (1.0, 0.05))
    assert (too_high.low, too_high.high) == (right.low, right.high)


def test_a_stratum_without_audits_takes_the_rate_below_it():
    correct = np.repeat([False, True], 20)
    stratum = np.repeat([0, 2], 20)
    n_kept = np.array([100, 300, 100])
    interval = precision_interval(correct, np.full(40, 0.1), stratum=stratum, n_kept=n_kept)
    # Stratum 1 has no audits: it goes with stratum 0, all of whose audits are wrong.
    assert math.isclose(interval.estimate, 100 / 500)


def test_a_lowest_stratum_with_few_audits_joins_the_one_above():
    correct = np.array([False] + [True] * 19)
    stratum = np.array([0] + [1] * 19)
    interval = precision_interval(
        correct, np.full(20, 0.1), stratum=stratum, n_kept=np.array([50, 50])
    )
    assert math.isclose(interval.estimate, 0.95)


@given(st.integers(1, 60), st.integers(0, 10**6), st.booleans())
def test_an_interval_holds_its_estimate(m, seed, stratified):
    rng = np.random.default_rng(seed)
    correct, stratum = rng.random(m) < rng.random(), rng.integers(0, N_BANDS, m)
    n_kept = np.bincount(stratum, minlength=N_BANDS) * rng.integers(1, 50)
    strata = {"stratum": stratum, "n_kept": n_kept} if stratified else {}
    interval = precision_interval(correct, rng.uniform(0.01, 1, m), **strata)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert interval.n_effective > 0
    assert stratified or interval.n_effective < m + 1e-9


@pytest.mark.parametrize("n_audits", [150, 500])
@pytest.mark.parametrize("stratified", [False, True])
def test_the_interval_contains_the_true_precision(n_audits, stratified):
    """In at least 93 of 100 draws of audits, for fixed scores from middling to very good."""
    world = make_world(1500)
    table = features(world.candidates, world.taxonomy)
    cold, n = cold_scores(table), len(table)
    band = bands(table.pairs, cold)
    noise = np.random.default_rng(0).normal(size=n)
    scores = (table.column("noisy_or"), world.correct + 0.3 * noise, world.correct + 0.2 * noise)
    draws = []
    for seed in range(100):
        drawn = sample(table.pairs, cold, n_audits, seed)
        draws.append((find_pairs(drawn, table.pairs), np.asarray(drawn["p_inclusion"])))
    for score in scores:
        kept = np.zeros(n, bool)
        kept[np.argsort(-score, kind="stable")[: n // 3]] = True
        truth, n_kept = world.correct[kept].mean(), np.bincount(band[kept], minlength=N_BANDS)
        hits, errors = 0, []
        for row, p_inclusion in draws:
            inside = kept[row]
            row, p_inclusion = row[inside], p_inclusion[inside]
            strata = {"stratum": band[row].astype(int), "n_kept": n_kept} if stratified else {}
            interval = precision_interval(world.correct[row], p_inclusion, **strata)
            hits += interval.low <= truth <= interval.high
            errors.append(interval.estimate - truth)
        assert hits >= 93
        assert abs(np.mean(errors)) < 0.015


def test_the_threshold_table_counts_what_it_keeps():
    rng = np.random.default_rng(0)
    p = np.round(rng.random(5000), 2)
    correct = rng.random(5000) < p
    audited = rng.choice(5000, 500, replace=False)
    table = thresholds(Judgements(audited, correct[audited], np.full(500, 0.1)), p).table(len(p))
    assert table.num_rows == 1001
    rows = table.to_pylist()
    for row in rows:
        kept = p >= row["threshold"]
        assert row["n_kept"] == kept.sum()
        assert row["share"] == kept.mean()
        assert row["n_audits"] == kept[audited].sum()
    assert [row["n_kept"] for row in rows] == sorted(row["n_kept"] for row in rows)
    assert rows[-1]["share"] == 1
    assert (
        np.mean(
            [
                row["low"] <= correct[p >= row["threshold"]].mean() <= row["high"]
                for row in rows
                if row["n_kept"]
            ]
        )
        > 0.8
    )
    assert rows[100]["precision"] > rows[-1]["precision"] + 0.3


def test_the_threshold_table_without_audits_or_candidates():
    nothing = Judgements(np.zeros(0, np.int64), np.zeros(0, bool), np.zeros(0))
    table = thresholds(nothing, np.array([0.2, 0.9])).table(2)
    assert table["precision"].null_count == table.num_rows == 1001
    assert thresholds(nothing, np.zeros(0)).table(0).num_rows == 0


def test_the_threshold_table_takes_strata():
    rng = np.random.default_rng(1)
    p, stratum = rng.random(1000), rng.integers(0, 10, 1000)
    audited = rng.choice(1000, 200, replace=False)
    judged = Judgements(audited, rng.random(200) < p[audited], np.full(200, 0.2), stratum)
    assert thresholds(judged, p).table(1).num_rows == 1001


@given(st.lists(st.sampled_from(["yes", "no", "unknown"]), min_size=1), st.randoms())
def test_the_bounds_hold_whatever_the_missing_verdicts_are(verdicts, random):
    correct = np.array([verdict == "yes" for verdict in verdicts])
    unknown = np.array([verdict == "unknown" for verdict in verdicts])
    p = np.full(len(verdicts), 0.01)
    stated = precision_interval(correct, p, unknown=unknown)
    completed = np.where(unknown, [random.random() < 0.5 for _ in verdicts], correct)
    whole = precision_interval(completed, p)
    assert stated.low <= whole.low + 1e-9
    assert stated.high >= whole.high - 1e-9
    known = precision_interval(correct[~unknown], p[~unknown])
    assert stated.low <= known.low
    assert stated.high >= known.high
    assert stated.n_audits == known.n_audits
    assert stated.estimate == known.estimate or not known.n_audits


def test_the_threshold_table_has_the_bounds_of_missing_verdicts():
    rng = np.random.default_rng(0)
    p = rng.random(1000)
    correct = rng.random(1000) < p
    unknown = ~correct & (np.arange(1000) % 2 == 0)
    row = np.arange(1000)
    asked = Judgements(row, correct, np.full(1000, 0.5))
    left_out = Judgements(row, correct, np.full(1000, 0.5), unknown=unknown)
    whole, stated = thresholds(asked, p), thresholds(left_out, p)
    assert np.array_equal(whole.estimates.precision, stated.estimates.precision, equal_nan=True)
    rows = stated.table(1000).to_pylist()[-1], whole.table(1000).to_pylist()[-1]
    kept = np.ones(1000, bool)
    interval = precision_of(replace(left_out, stratum=np.zeros(1000, np.int8)), kept, 0.95)
    assert (rows[0]["low"], rows[0]["high"]) == pytest.approx((interval.low, interval.high))
    assert rows[0]["low"] == rows[1]["low"]
    assert rows[0]["precision"] > rows[1]["precision"]
    assert rows[0]["n_audits"] == 1000 - unknown.sum()


@pytest.mark.parametrize("has_unknown", [False, True])
@pytest.mark.parametrize("errors", [NO_ERRORS, ErrorRates(0.05, 0.1, "repeats", 90, 0.1)])
def test_intervals_of_many_sets_are_those_of_each(has_unknown: bool, errors: ErrorRates) -> None:
    rng = np.random.default_rng(0)
    m, n_strata = 200, 6
    stratum = rng.integers(0, n_strata, m)
    correct, p_inclusion = rng.random(m) < 0.8, rng.uniform(0.05, 1, m)
    inside = rng.random((12, m)) < np.linspace(0, 0.9, 12)[:, None]
    n_kept = rng.integers(0, 500, (12, n_strata))
    unknown = rng.random(m) < 0.1 if has_unknown else None
    options = {"errors": errors, "confidence": 0.9}
    many = precision_intervals(
        correct, p_inclusion, inside, stratum=stratum, n_kept=n_kept, unknown=unknown, **options
    )
    for i, of in enumerate(inside):
        single = precision_interval(
            correct[of],
            p_inclusion[of],
            stratum=stratum[of],
            n_kept=n_kept[i],
            unknown=None if unknown is None else unknown[of],
            **options,
        )
        np.testing.assert_allclose(
            [many.estimate[i], many.low[i], many.high[i], many.n_audits[i]],
            [single.estimate, single.low, single.high, single.n_audits],
            rtol=1e-9,
        )
