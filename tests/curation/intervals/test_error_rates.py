from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.intervals.error_rates import NO_ERRORS, ErrorRates
from curation.intervals.judgements import Judgements, precision_of
from curation.intervals.learn_then_test import audits_needed, best_provable, prove
from curation.intervals.precision import precision_interval
from curation.intervals.thresholds import Thresholds, thresholds
from labeling.errors import QualityError

P = np.random.default_rng(0).random(20_000)
CORRECT = np.random.default_rng(1).random(len(P)) < P
RATES = st.floats(0, 0.49)


def judged(n: int, seed: int, of_wrong: float, of_right: float, errors: ErrorRates) -> Judgements:
    """Return judgements of auditors who err at these rates."""
    rng = np.random.default_rng(seed)
    row = rng.choice(len(P), n, replace=False)
    right, draw = CORRECT[row], rng.random(n)
    called = np.where(right, draw >= of_right, draw < of_wrong)
    return Judgements(row, called, np.full(n, n / len(P)), errors=errors)


def cuts_of(errors: ErrorRates, n: int = 1000) -> Thresholds:
    return thresholds(judged(n, 0, 0, 0, errors), P)


@given(st.integers(1, 300), st.floats(0, 1), RATES, RATES)
def test_bounds_move_outwards_with_the_rate(n: int, share: float, rate: float, another: float):
    smaller, larger = sorted((rate, another))
    correct = np.arange(n) < round(share * n)
    p_inclusion = np.full(n, 0.01)
    inner, outer = (
        precision_interval(correct, p_inclusion, errors=ErrorRates(each, each))
        for each in (smaller, larger)
    )
    assert 0 <= outer.low <= inner.low <= inner.estimate <= inner.high <= outer.high <= 1
    assert inner.estimate == outer.estimate


@given(st.integers(1, 300), st.floats(0, 1), RATES, RATES)
def test_any_share_called_right_is_explained_by_a_precision_in_the_bounds(
    n: int, precision: float, of_wrong: float, of_right: float
):
    share = np.array([precision * (1 - of_right) + (1 - precision) * of_wrong])
    (low,), (high,) = ErrorRates(of_wrong, of_right).widened(share, share)
    assert low - 1e-12 <= precision <= high + 1e-12


def test_auditors_who_never_err_change_nothing():
    stratum = np.zeros(len(P), np.int8)
    before = replace(judged(500, 0, 0, 0, NO_ERRORS), stratum=stratum)
    after = replace(before, errors=ErrorRates(0, 0, "given"))
    kept = P > 0.5
    assert precision_of(before, kept, 0.95) == precision_of(after, kept, 0.95)
    assert thresholds(before, P).table(len(P)).equals(thresholds(after, P).table(len(P)))


def test_less_is_proved_where_auditors_err_more():
    n_kept, best, needed = [], [], []
    for rate in (0, 0.02, 0.05, 0.1):
        cuts = cuts_of(ErrorRates(rate, rate))
        n_kept.append(cuts.n_kept[prove(cuts, 0.7)])
        best.append(best_provable(cuts))
        needed.append(audits_needed(cuts, 0.8))
    assert n_kept == sorted(n_kept, reverse=True)
    assert len(set(n_kept)) == 4
    assert best == sorted(best, reverse=True)
    assert needed == sorted(needed)


def test_a_target_that_errors_put_out_of_reach_needs_more_audits_than_candidates():
    with pytest.raises(QualityError) as caught:
        prove(cuts_of(ErrorRates(0.4, 0.4)), 0.98)
    assert caught.value.facts["audits needed"] == "more than there are candidates"


def test_judging_all_candidates_leaves_the_errors_of_the_verdicts():
    p_inclusion, correct = np.ones(500), np.arange(500) < 450
    strata = {"stratum": np.zeros(500, np.int64), "n_kept": np.array([500])}
    exact = precision_interval(correct, p_inclusion, **strata)
    erring = precision_interval(correct, p_inclusion, **strata, errors=ErrorRates(0.05, 0.05))
    assert exact.high - exact.low < 0.001
    assert erring.low < (0.9 - 0.05) / 0.95 - 0.02


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.1])
@pytest.mark.parametrize("of_right", [0, 1], ids=["one-sided", "symmetric"])
def test_the_precision_is_held_and_covered_although_auditors_err(rate: float, of_right: int):
    kept = P > 0.7
    truth, n_broken, n_outside, n_taken_as_truth = CORRECT[kept].mean(), 0, 0, 0
    for seed in range(100):
        pairs = judged(1000, seed, rate, rate * of_right, ErrorRates(rate, rate))
        interval = precision_of(pairs, kept, 0.95)
        n_outside += not interval.low <= truth <= interval.high
        for errors in (pairs.errors, NO_ERRORS):
            cuts = thresholds(replace(pairs, errors=errors), P)
            try:
                broken = CORRECT[cuts.threshold[prove(cuts, 0.75)] <= P].mean() < 0.75
            except QualityError:
                continue
            n_broken += broken and errors.is_any
            n_taken_as_truth += broken and not errors.is_any
    assert n_broken <= 9
    assert n_outside <= 9
    assert of_right or rate < 0.1 or n_taken_as_truth > 20
