from __future__ import annotations

import numpy as np
import pytest

from curation.intervals.judgements import Judgements
from curation.intervals.learn_then_test import prove
from curation.intervals.thresholds import Thresholds, thresholds
from labeling.errors import ConfigError, InputError, QualityError

P = np.random.default_rng(0).random(20_000)


def audited(correct: np.ndarray, n: int, seed: int, p: np.ndarray = P) -> Thresholds:
    row = np.random.default_rng(seed).choice(len(p), n, replace=False)
    return thresholds(Judgements(row, correct[row], np.full(n, n / max(len(p), 1))), p)


def test_the_precision_is_held_in_nearly_all_draws():
    correct = np.random.default_rng(1).random(len(P)) < P
    n_broken, n_kept = 0, []
    for seed in range(200):
        try:
            cuts = audited(correct, 1000, seed)
            threshold = cuts.threshold[prove(cuts, 0.8)]
        except QualityError:
            continue
        n_broken += correct[threshold <= P].mean() < 0.8
        n_kept.append(np.mean(threshold <= P))
    assert n_broken <= 17
    assert np.mean(n_kept) > 0.28


def test_a_target_out_of_reach_names_the_best_within_reach():
    correct = np.random.default_rng(1).random(len(P)) < 0.5
    with pytest.raises(QualityError, match="cannot be proved") as caught:
        prove(audited(correct, 500, 0), 0.9)
    assert 0.3 < float(str(caught.value.facts["best that can be proved"])) < 0.6
    assert caught.value.facts["audits needed"] == "more than there are candidates"
    assert caught.value.help.startswith("ask for less")
    assert caught.value.exit_code == 4


def test_a_target_below_the_estimate_needs_at_most_all_candidates():
    p, correct = P[:1000], np.random.default_rng(3).random(1000) < 0.98
    cuts = audited(correct, 300, 0, p)
    target = cuts.estimates.precision[-1] - 0.005
    with pytest.raises(QualityError) as caught:
        prove(cuts, target)
    assert caught.value.facts["audits needed"] == "about 1,000"
    assert caught.value.help == "audit more pairs, or ask for less"
    whole = audited(correct, 1000, 0, p)
    assert whole.n_kept[prove(whole, correct.mean() - 0.005)] == 1000


def test_without_an_audit_the_number_needed_is_not_known():
    with pytest.raises(QualityError) as caught:
        prove(audited(np.ones(1000, bool), 0, 0, P[:1000]), 0.7)
    assert caught.value.facts["audits needed"] == "not known before the first"
    assert caught.value.help == "audit more pairs, or ask for less"


def test_all_right_audits_prove_all_but_not_certainty():
    cuts = audited(np.ones(len(P), bool), 300, 0)
    assert cuts.n_kept[prove(cuts, 0.9)] == len(P)
    with pytest.raises(QualityError):
        prove(cuts, 0.995)


@pytest.mark.parametrize(("right", "kept"), [(0.95, True), (0.85, False)])
def test_equal_probabilities_are_kept_or_dropped_together(right: float, kept: bool):
    p = np.full(100_000, 0.5)
    correct = np.random.default_rng(2).random(len(p)) < right
    cuts = audited(correct, 1000, 0, p)
    assert set(cuts.n_kept.tolist()) == {0, len(p)}
    if kept:
        assert cuts.n_kept[prove(cuts, 0.9)] == len(p)
    else:
        with pytest.raises(QualityError):
            prove(cuts, 0.9)


@pytest.mark.parametrize("target", [0.0, 1.0, float("nan"), -1.0])
def test_a_target_that_cannot_be_is_refused(target: float):
    with pytest.raises(ConfigError):
        prove(audited(P > 0.5, 100, 0), target)


@pytest.mark.parametrize(("n_audits", "n"), [(0, 0), (0, 20_000), (3, 20_000)])
def test_few_audits_or_no_candidates_prove_nothing(n_audits: int, n: int):
    with pytest.raises(QualityError, match="cannot be proved"):
        prove(audited(np.ones(n, bool), n_audits, 0, P[:n]), 0.7)


def test_judging_every_candidate_proves_what_is_true():
    p = P[:200]
    cuts = audited(p > 0.25, 200, 0, p)
    row = prove(cuts, 0.9)
    assert cuts.estimates.precision[row] >= 0.9
    assert cuts.n_kept[row] > 0.99 * np.sum(p > 0.25) / 0.9


def test_a_probability_that_is_not_a_number_is_refused():
    with pytest.raises(InputError, match="NaN"):
        audited(P > 0.5, 10, 0, np.where(P > 0.9, np.nan, P))
