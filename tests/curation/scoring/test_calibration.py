from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit

from curation.scoring.calibration import (
    MIN_ISOTONIC,
    Calibration,
    Isotonic,
    fit_calibration,
    fit_isotonic,
    fit_platt,
)
from tests.benchmarks.calibration_error import expected_calibration_error


def overconfident(n, seed=0):
    """Return predictions whose logits are twice too large and half too high, and verdicts."""
    rng = np.random.default_rng(seed)
    true_logit = rng.normal(0, 1.2, n)
    correct = (rng.random(n) < expit(true_logit)).astype(float)
    return expit(2 * true_logit + 0.5), correct


def test_calibration_recovers_a_known_distortion():
    p, correct = overconfident(20_000)
    fitted = fit_platt(p, correct)
    assert abs(fitted.slope - 0.5) < 0.03
    assert abs(fitted.intercept + 0.25) < 0.05
    assert expected_calibration_error(p, correct) > 0.06
    assert expected_calibration_error(fitted.apply(p), correct) < 0.015


def test_weights_count_as_repetitions():
    p, correct = overconfident(1500)
    weight = np.tile([1.0, 3.0], 750)
    repeated = np.repeat(np.arange(1500), weight.astype(int))
    weighted = fit_platt(p, correct, weight)
    plain = fit_platt(p[repeated], correct[repeated])
    # The prior is compared with 1,500 judgements in the one, 3,000 in the other.
    assert abs(weighted.slope - plain.slope) < 0.02
    assert abs(weighted.intercept - plain.intercept) < 0.02


def test_few_judgements_leave_probabilities_nearly_alone():
    assert fit_platt(np.zeros(0), np.zeros(0)) == Calibration(1.0, 0.0)
    fitted = fit_platt(np.array([0.9, 0.1]), np.array([1.0, 0.0]))
    assert 0.8 < fitted.slope < 1.25
    assert abs(fitted.intercept) < 0.2


def test_a_useless_predictor_is_flattened_but_never_turned_round():
    rng = np.random.default_rng(3)
    p = rng.random(2000)
    fitted = fit_platt(p, 1.0 - (rng.random(2000) < p))
    assert 0 < fitted.slope < 0.1


def bent(n, seed=0):
    """Return predictions that no line of logits corrects, and verdicts."""
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    return p, (rng.random(n) < 0.2 + 0.7 * (p > 0.6)).astype(float)


def test_many_judgements_may_bend_the_map():
    p, correct = bent(MIN_ISOTONIC)
    unseen, verdict = bent(20_000, seed=1)
    fitted = fit_calibration(p, correct)
    assert isinstance(fitted, Isotonic)
    assert expected_calibration_error(fitted.apply(unseen), verdict) < 0.03
    few = fit_calibration(p[1:], correct[1:])
    assert isinstance(few, Calibration)
    assert expected_calibration_error(few.apply(unseen), verdict) > 0.05


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 5),
)
def test_an_isotonic_map_rises_strictly_within_its_steps_too(judged, weight):
    p, correct = (np.array(x, float) for x in zip(*judged, strict=True))
    fitted = fit_isotonic(p, correct, np.full(len(p), weight))
    assert (fitted.p[0], fitted.p[-1]) == (fitted.value[0], fitted.value[-1]) == (0, 1)
    assert np.all(np.diff(fitted.p) > 0)
    assert np.all(np.diff(fitted.value) > 0)
    assert np.all(np.diff(fitted.apply(np.linspace(0, 1, 1001))) > 0)


def test_an_isotonic_map_heeds_weights():
    p, correct = np.array([0.4, 0.4, 0.4]), np.array([1.0, 0.0, 0.0])
    fitted = fit_isotonic(p, correct, np.array([8.0, 1.0, 1.0]))
    assert abs(fitted.apply(np.array([0.4]))[0] - 0.8) < 1e-3


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=50),
    st.floats(0.05, 20),
    st.floats(-10, 10),
)
def test_calibration_keeps_the_order(p, slope, intercept):
    ordered = np.sort(np.array(p))
    calibrated = Calibration(slope, intercept).apply(ordered)
    assert np.all(np.diff(calibrated) >= 0)
    assert np.all((calibrated >= 0) & (calibrated <= 1))


def test_expected_calibration_error_by_hand():
    p = np.array([0.1, 0.1, 0.9, 0.9])
    correct = np.array([0, 1, 1, 1])
    assert abs(expected_calibration_error(p, correct, n_bins=2) - (0.4 + 0.1) / 2) < 1e-12
    weight = np.array([0, 0, 1, 1])
    assert abs(expected_calibration_error(p, correct, weight, n_bins=2) - 0.1) < 1e-12
    assert expected_calibration_error(np.zeros(0), np.zeros(0)) == 0
