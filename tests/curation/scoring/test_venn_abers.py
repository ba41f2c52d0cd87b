from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from curation.scoring.venn_abers import fit_venn_abers

judgements = st.lists(
    st.tuples(st.integers(0, 12), st.booleans(), st.integers(1, 4)), min_size=1, max_size=25
)


def refit(score, correct, weight, one_more, verdict):
    """Return the isotonic fit at one more judged candidate."""
    x, y = np.append(score, one_more), np.append(correct, verdict)
    w = np.append(weight, weight.mean())
    return IsotonicRegression().fit(x, y, sample_weight=w).predict([one_more])[0]


@given(judgements, st.lists(st.integers(-1, 25), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_both_fits_are_those_of_a_refit(judged, halves):
    score, correct, weight = (np.array(x, float) for x in zip(*judged, strict=True))
    scores = np.array(halves) / 2
    low, high = fit_venn_abers(score, correct, weight).apply(scores)
    for i, position in enumerate(scores):
        assert abs(low[i] - refit(score, correct, weight, position, 0)) < 1e-9
        assert abs(high[i] - refit(score, correct, weight, position, 1)) < 1e-9


@given(judgements)
def test_intervals_are_in_order_and_do_not_fall(judged):
    score, correct, weight = (np.array(x, float) for x in zip(*judged, strict=True))
    low, high = fit_venn_abers(score, correct, weight).apply(np.linspace(-1, 13, 57))
    assert np.all((low >= 0) & (low <= high) & (high <= 1))
    assert np.all(np.diff(low) >= -1e-12)
    assert np.all(np.diff(high) >= -1e-12)


def test_the_fit_with_the_true_verdict_is_calibrated():
    """The theorem, over draws of few judgements; the scores are far from calibrated."""
    rng = np.random.default_rng(0)
    stated, happened = [], []
    for _ in range(400):
        truth = rng.beta(2, 3, 140)
        correct = (rng.random(140) < truth).astype(float)
        low, high = fit_venn_abers(truth[:40] ** 3, correct[:40]).apply(truth[40:] ** 3)
        stated.append(np.where(correct[40:] > 0, high, low))
        happened.append(correct[40:])
    stated, happened = np.concatenate(stated), np.concatenate(happened)
    quarter = np.minimum(stated * 4, 3).astype(int)
    for q in range(4):
        assert abs(stated[quarter == q].mean() - happened[quarter == q].mean()) < 0.02


def test_few_judgements_give_wide_intervals():
    rng = np.random.default_rng(1)
    score = rng.random(2000)
    correct = (rng.random(2000) < score).astype(float)
    width = []
    for n in (20, 200, 2000):
        low, high = fit_venn_abers(score[:n], correct[:n]).apply(np.linspace(0, 1, 101))
        width.append(np.mean(high - low))
    assert width[0] > 2 * width[1] > 4 * width[2]


def test_without_judgements_nothing_is_known():
    low, high = fit_venn_abers(np.zeros(0), np.zeros(0)).apply(np.array([0.3]))
    assert (low[0], high[0]) == (0, 1)
