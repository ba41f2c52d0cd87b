from __future__ import annotations

import numpy as np
from scipy.special import expit

from curation.intervals.judgements import Judgements
from curation.scoring.learners import _choose


def judged_of(correct):
    return Judgements(np.arange(len(correct)), correct > 0, np.ones(len(correct)))


def verdicts(n, seed=0):
    """Return the true logits, and verdicts drawn from them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(0, 2, n)
    return z, (rng.random(n) < expit(z)).astype(float)


def test_boosting_is_chosen_if_its_loss_is_clearly_lower():
    z, correct = verdicts(2000)
    vague = expit(z + np.random.default_rng(1).normal(0, 2, 2000))
    choice = _choose(np.array([vague, expit(z)]), judged_of(correct))
    assert choice.learner == "boosting"
    assert choice.losses[1] < choice.losses[0] - 0.05


def test_boosting_is_chosen_unless_its_loss_is_clearly_higher():
    """Both know as much; one that learns nothing more loses by chance in one case of six."""
    n_chosen = 0
    for seed in range(30):
        z, correct = verdicts(500, seed)
        noise = np.random.default_rng(100 + seed).normal(0, 0.3, (2, 500))
        n_chosen += _choose(expit(z + noise), judged_of(correct)).learner == "boosting"
    assert 18 <= n_chosen < 30
    z, correct = verdicts(2000)
    vague = expit(z + np.random.default_rng(1).normal(0, 2, 2000))
    assert _choose(np.array([expit(z), vague]), judged_of(correct)).learner == "logistic"


def test_exaggerated_boosting_is_calibrated_before_it_is_compared():
    z, correct = verdicts(2000)
    vague = expit(z + np.random.default_rng(1).normal(0, 2, 2000))
    choice = _choose(np.array([vague, expit(4 * z)]), judged_of(correct))
    assert choice.learner == "boosting"
    assert abs(choice.calibration.slope - 0.25) < 0.05


def test_without_boosting_there_is_nothing_to_choose():
    z, correct = verdicts(300)
    choice = _choose(expit(z)[None], judged_of(correct))
    assert (choice.learner, len(choice.losses)) == ("logistic", 1)
